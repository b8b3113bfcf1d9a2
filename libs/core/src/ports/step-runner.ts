import type { RankedToken } from "../request-event.ts";
import type { SamplingParams } from "../sampling-params.ts";
import type { KvSequence } from "./sequence-store.ts";
import type { TraceCall } from "./tracer.ts";

/** Rows of an entry whose input embedding is given, such as an image's features, in place of their token's. */
export type EmbeddingRun = Readonly<{ /** First row within the entry. */ row: number; rows_aD: Float32Array }>;

/** The tokens before a draw, as penalties ask for them. */
export interface DrawHistory {
  /** Tokens of the output with their counts. */
  output(): Iterable<readonly [tokenId: number, count: number]>;
  /** Tokens of prompt and output, each once. */
  seen(): Iterable<number>;
  /** Whether the output's last tokens are these. */
  endsWith(tokenIds: readonly number[]): boolean;
}

/** How one token is drawn: a draw is a pure function of its row's logits and of these. */
export type TokenDraw = Readonly<{
  params: SamplingParams;
  /** Unchanged until the step is over. */
  history: DrawHistory;
  /** Which of its request's choices draws. */
  choice: number;
  /** Place of the token in the choice's output. */
  index: number;
  /** Bit `id & 31` of word `id >> 5` says whether a token may be drawn, [ceil(V / 32)]; undefined: every one may. */
  allowed: Uint32Array | undefined;
}>;

/** Which log-probabilities of a prompt's rows are asked for. */
export type PromptQuery = Readonly<{
  /** The tokens that follow the entry's first rows, [n]: each row is asked for the log-probability of its own. */
  nextIds: Int32Array;
  /** The likeliest tokens of each row that are asked for too. */
  topCount: number;
}>;

/** What one sequence brings to a step: new tokens at positions [length, length + n), and what it wants to know of them. */
export type StepEntry = Readonly<{
  sequence: KvSequence;
  tokenIds: Int32Array;
  embeddings: readonly EmbeddingRun[];
  prompt: PromptQuery | undefined;
  /** How the token behind the last row is drawn; undefined where it is known already (a prompt's inner part). */
  draw: TokenDraw | undefined;
  /** Whether the experts of its rows are asked for. */
  experts: boolean;
}>;

/** A step's rows, from plan to result in the same order. */
export type Step = Readonly<{
  entries: readonly StepEntry[];
  /** Begins a span for a call to another worker; undefined where the step is not traced. */
  traceCall: TraceCall | undefined;
}>;

/** Log-probabilities of one row's raw logits. */
export type RowLogprobs = Readonly<{
  /** The log-probability of the token that was asked for, or drawn. */
  logprob: number;
  /** The likeliest tokens, best first, as many as were asked for. */
  top: readonly RankedToken[];
}>;

/** One drawn token. */
export type DrawnToken = Readonly<{
  tokenId: number;
  /** Undefined unless its draw's params ask for them. */
  logprobs: RowLogprobs | undefined;
}>;

export type EntryResult =
  | Readonly<{
      kind: "computed";
      /** The entry's first rows that are to be committed: all of them, or fewer where tokens that were guessed are not the ones drawn. */
      rowCount: number;
      /** What comes behind them, one token or more; none for an entry without a draw. */
      tokens: readonly DrawnToken[];
      /** One for each of the prompt query's ids. */
      prompt: readonly RowLogprobs[];
      /** Chosen experts of the first rows, [rowCount, MoE layers]; empty unless asked for. */
      experts: Uint16Array;
    }>
  /** An expert's or a context worker's reply is missing: nothing was computed for this entry; repeat it later. */
  | Readonly<{ kind: "parked" }>;

/** Where a step's time went, milliseconds: in the executor's own computing, in waiting for other workers, and in all. */
export type StepTimes = Readonly<{ computeMs: number; exchangeMs: number; totalMs: number }>;

/** A step's results, one for each entry, in order. */
export type StepResult = Readonly<{ entries: readonly EntryResult[]; times: StepTimes }>;

/** A step that was handed over. It may be under way, or over. */
export interface PendingStep {
  /** Waits for the step's end; called once. Rejects where the device has failed. */
  result(): Promise<StepResult>;
}

/** Computes steps of the text model on one device: rows in, tokens out. Prefill and decode are the same call. */
export interface StepRunner {
  /** D, the width of an embedding's row. */
  readonly hiddenSize: number;
  /** Whether a step can be computed now: every expert of every layer has a holder that can be reached. */
  readonly usable: boolean;
  /**
   * Experts of a layer whose weights a step waits for where one of its rows comes to them, on a device that reads weights for longer than it multiplies a
   * few dozen rows by them; undefined: each row costs alike, however many they are.
   */
  readonly expertsRead?: number;
  /** Whether a step that was handed over is computed beside this thread, which may do other things meanwhile without delaying it. */
  readonly runsBeside?: boolean;
  /**
   * Hands a step over; its rows are reserved, and belong to sequences that are not closed before it is over. Steps are computed in the order
   * in which they are submitted. Returns before the step is over where the device computes by itself, so that the caller may send what the last one has
   * drawn meanwhile.
   */
  submit(step: Step): PendingStep;
  /**
   * Hands over a step of one row an entry while the last step that was handed over is computed, all of whose entries had one row and a draw: the token of entry i is what that step draws for its
   * entry `of[i]`, and its row the one behind that step's, which are both reserved and not committed; what its `tokenIds` say counts for nothing. A draw that the last step does not make for certain
   * makes that entry `parked`, and what comes of its row here says nothing. Undefined, with nothing changed, where that step has to be over first; no such function: always.
   */
  follow?(step: Step, of: readonly number[]): PendingStep | undefined;
}
