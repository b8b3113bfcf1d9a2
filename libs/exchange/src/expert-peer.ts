import type { TraceContext } from "@drover/core";

/** One worker's rows of one layer and step, sorted by expert. */
export type PeerCall = Readonly<{
  layer: number;
  experts: Int32Array;
  /** Rows of each expert; they sum to the rows of `z`. */
  counts: Int32Array;
  /** [rows, D] f32; not touched until the call ends. */
  z: Float32Array;
  mapEpoch: bigint;
  /** The span that the call is. */
  trace?: TraceContext | undefined;
}>;

/** A worker that holds experts. */
export interface ExpertPeer {
  readonly workerId: string;
  readonly connected: boolean;
  /** The output rows in the call's order, or undefined: no connection, no credit, deadline passed, or the peer refused. Never throws. */
  call(call: PeerCall): Promise<Float32Array | undefined>;
}
