import type { ExpertExchange } from "./expert-exchange.ts";

/** One sequence's KV, held by the runner. Its length advances only by `commit`, so that any step can be abandoned and repeated. */
export interface KvSequence {
  /** Committed rows. */
  readonly length: number;
  /** Bytes allocated now. */
  readonly byteCount: number;
}

/** Rows of a step whose input embedding is given, such as an image's features, in place of their token's. */
export type EmbeddingRun = Readonly<{ /** First row within the entry. */ row: number; rows_aD: Float32Array }>;

/** What one sequence brings to a step: new tokens at positions [length, length + n), and what it wants to know of them. */
export type StepEntry = Readonly<{
  sequence: KvSequence;
  tokenIds: Int32Array;
  embeddings: readonly EmbeddingRun[];
  /** Rows whose outputs are wanted: the last one, all (prompt log-probabilities), or none (a prompt's inner part). */
  outputs: "last" | "all" | "none";
  /** With `all`: the id whose logit is asked for each row, [n]. */
  askedIds: Int32Array | undefined;
  /** Whether a sampler needs the last row's whole logits. */
  fullLogits: boolean;
}>;

/** Outputs of one row. Log-probabilities are of the raw logits: `value - logSumExp`. */
export type RowOutput = Readonly<{
  /** The likeliest tokens, best first. */
  topIds: readonly number[];
  topValues: Float32Array;
  logSumExp: number;
  askedLogit: number;
  /** [V], only where asked for. */
  full: Float32Array | undefined;
}>;

export type EntryResult =
  | Readonly<{
      kind: "computed";
      rows: readonly RowOutput[];
      /** Chosen experts, [n, MoE layers]. */
      experts: Uint16Array;
    }>
  /** An expert's reply is missing: nothing was computed for this entry; repeat it later. */
  | Readonly<{ kind: "parked" }>;

/** Where a step's time went, milliseconds. */
export type StepTimes = { sessionMs: number; exchangeMs: number; totalMs: number };

/** Runs the text model's layers over a batch of sequences. Prefill and decode are the same call. */
export interface ModelRunner {
  /** D, the width of a row. */
  readonly hiddenSize: number;
  readonly kvBytesUsed: number;
  readonly kvBytesMax: number;
  openSequence(): KvSequence;
  /** Allocates rows [length, length + rowCount). False, with nothing changed, when the memory is not there. */
  reserve(sequence: KvSequence, rowCount: number): boolean;
  /** Reserved entries only. `topCount` candidates a row. One result for each entry. */
  step(
    entries: readonly StepEntry[],
    topCount: number,
    exchange: ExpertExchange,
    signal: AbortSignal,
  ): Promise<readonly EntryResult[]>;
  /** The step's rows of this sequence count from now on; chunked layers drop what lies before the last boundary. */
  commit(sequence: KvSequence, rowCount: number): void;
  /** Frees the sequence's KV. */
  close(sequence: KvSequence): void;
  readonly times: StepTimes;
}
