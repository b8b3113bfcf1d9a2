import type { DrawHistory, SamplingParams } from "@drover/core";
import type { Candidates } from "./candidates.ts";

/** What is known of a token before its logits are: enough to tell which steps choosing it takes. */
export type NextToken = Readonly<{
  params: SamplingParams;
  /** Position in the choice's output. */
  index: number;
  /**
   * The grammar's mask, [ceil(V / 32)]: bit `id % 32` of word `id / 32` says that token `id` may come. Undefined: every
   * token may.
   */
  allowed?: Uint32Array | undefined;
}>;

/** Everything that a token is a function of. */
export type SampleInput = NextToken &
  Readonly<{
    /** One row, [V], raw; not modified. */
    logits: Float32Array;
    history: DrawHistory;
    /** Which of the request's choices the token is for. */
    choice: number;
  }>;

/** A step that changes scores, and so which token is the likeliest. Pure, but that it writes to the row it is given. */
export interface ScoreStep {
  /** Whether the step would change anything for this token. */
  needed(token: NextToken): boolean;
  /** Changes scores, [V], in place. */
  apply(scores: Float32Array, input: SampleInput): void;
}

/** A step that leaves out unlikely tokens, and never the likeliest: greedy does without it. */
export interface LimitStep {
  /** Whether the step could leave out anything for this token. */
  needed(token: NextToken): boolean;
  /** Leaves out tokens among those that the steps before it have left. */
  apply(candidates: Candidates, params: SamplingParams): void;
}
