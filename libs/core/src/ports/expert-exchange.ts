import type { TraceCall } from "./tracer.ts";

/** Rows for one MoE layer, in the step's order. */
export type ExchangeRequest = Readonly<{
  layer: number;
  /** Scaled expert input, [a, D] row-major. Not changed or reused until the result is there. */
  z_aD: Float32Array;
  /** The expert of each row, [a]; negative: the row asks for none, and its answer is not touched. */
  expert_a: Int32Array;
  rowCount: number;
  /** Where the answers go; undefined: to rows made for them. */
  y_aD?: Float32Array;
  /** Begins a span for each of its calls, where the step is traced. */
  traceCall?: TraceCall | undefined;
  /** What the caller computes beside it, on this thread: called once, when what goes to other processes has left, and before experts of this one are computed. */
  meanwhile?: () => void;
}>;

export type ExchangeResult = Readonly<{
  /** Routed experts' output, [a, D], rows in the request's order; rows that are missing are zero. */
  y_aD: Float32Array;
  /** Rows without an answer (no holder, deadline, broken stream), ascending; they must not be used. */
  missing: readonly number[];
}>;

/** Where a step's rows meet their experts: in this process, or on others over gRPC. Never throws for a lost peer: such rows are missing. */
export interface ExpertExchange {
  /** Starts at once. An exchange that has nothing to wait for may leave `meanwhile` to its caller. */
  exchange(request: ExchangeRequest): Promise<ExchangeResult>;
  /** Whether every expert of every layer has a reachable holder. */
  readonly usable: boolean;
}

/** Computes experts that are loaded in this process. Stateless: calls may be retried, hedged and answered by any replica. */
export interface ExpertRunner {
  readonly hiddenSize: number;
  /** Whether the expert can be computed here now. */
  has(layer: number, expert: number): boolean;
  /**
   * Rows sorted by expert: `counts[i]` rows for `experts[i]`. Writes `y_aD` [a, D] row by row: before it returns, or, where it returns a promise, before that
   * resolves; till then `z_aD` is not changed. The promise rejects where a device has failed. Bug if an expert is not loaded.
   */
  run(
    layer: number,
    experts: ArrayLike<number>,
    counts: ArrayLike<number>,
    z_aD: Float32Array,
    y_aD: Float32Array,
  ): Promise<void> | undefined;
}
