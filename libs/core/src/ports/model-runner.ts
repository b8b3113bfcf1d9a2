import type { ExpertExchange } from "./expert-exchange.ts";
import type { PromptImage } from "./images.ts";

/** One sequence's KV, held by the runner. Its length advances only by `commit`, so that any step can be abandoned and repeated. */
export interface KvSequence {
  /** Committed rows. */
  readonly length: number;
  /** Rows that were there when it was opened, and are not computed. */
  readonly cachedCount: number;
  /** Bytes allocated for it alone. */
  readonly byteCount: number;
  /** Rows that it is to have at most; full, it has done what it is for. Infinite but for repairs. */
  readonly rowCountMax: number;
}

/** What is known of a sequence when it is opened: by it cached rows are found, and named for those who come after. */
export type SequencePrompt = Readonly<{
  /** Prompt, and the output that is known already. */
  tokenIds: readonly number[];
  /** The chain over the prompt's whole blocks, where it is known; empty: it is computed. See `BlockHashes` in libs/kv. */
  blockHashes: Uint8Array;
  images: readonly PromptImage[];
  /** False: every row is computed. */
  reuse: boolean;
  /** Rows that it may come to have: by it is decided where its KV lives. */
  rowCountMax: number;
}>;

/** Bytes of one kind of layers: allocated = referenced + cached. */
export type KvUse = Readonly<{ referenced: number; cached: number }>;

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
  /** Bytes that sequences hold. What is only cached gives way to them and is not counted. */
  readonly kvBytesUsed: number;
  readonly kvBytesMax: number;
  readonly kvUse: Readonly<{ global: KvUse; local: KvUse }>;
  /** Whether sequences find the rows of others that have begun alike. */
  readonly sharesPrefixes: boolean;
  /** Whether a sequence of so many rows has its old global rows on other workers. */
  isStriped(rowCount: number): boolean;
  /** Rows that other workers have room for, less what open sequences may come to need of it. */
  readonly stripedRowsFree: number;
  /** The longest sequence that other workers could hold were they empty. */
  readonly stripedRowsMax: number;
  /** Behind the longest cached prefix of the prompt. Without a prompt nothing is found and nothing stays. */
  openSequence(prompt?: SequencePrompt): KvSequence;
  /** Bytes that {@link reserve} would allocate. */
  bytesNeeded(sequence: KvSequence, rowCount: number): number;
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
  /**
   * What is to be computed before the sequence goes on: rows of it that another worker has lost. They are stepped and committed like any
   * sequence's, from its `length` to its `rowCountMax`; then the next ones are asked for. Undefined: nothing is lost.
   */
  repair(sequence: KvSequence): KvSequence | undefined;
  /** Lets go of the sequence's KV; what may be found again stays cached while there is room. */
  close(sequence: KvSequence): void;
  readonly times: StepTimes;
}
