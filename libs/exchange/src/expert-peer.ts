import type { TraceContext } from "@drover/core";

/**
 * One worker's share of a step's rows in one layer. It names its rows in the step's buffers, so that they are copied
 * where they are sent.
 */
export type PeerCall = Readonly<{
  layer: number;
  experts: Int32Array;
  /** Rows of each expert; they sum to the length of `rows`. */
  counts: Int32Array;
  /** The step's rows that are the call's, sorted by expert. */
  rows: Int32Array;
  /** All rows of the step, [a, D]; not touched until the call ends. */
  z_aD: Float32Array;
  /** Where the answers of the call's rows go, each to the place of its own row, [a, D]. */
  y_aD: Float32Array;
  /** D. */
  width: number;
  /** Whether nobody waits for it any more: then nothing is written, and what the call ends with says only whether the peer has answered. */
  isOver?: () => boolean;
  /** The span that the call is. */
  trace?: TraceContext | undefined;
}>;

/** A worker that holds experts. */
export interface ExpertPeer {
  readonly workerId: string;
  readonly connected: boolean;
  /** Whether a call is computed before it returns, on the thread that makes it. */
  readonly isHere: boolean;
  /**
   * Writes the call's rows of `y_aD`, and nothing of it once the call has ended. False where some have no answer: no
   * connection, no credit, too late, or the peer refused. Never throws for such.
   */
  call(call: PeerCall): Promise<boolean>;
}
