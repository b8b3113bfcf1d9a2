import type { PromptImage } from "./images.ts";

/**
 * One sequence's KV, as its store holds it. Its length advances only by `commit`: a step may write any number of reserved rows, and what is
 * not committed of them is as if it had never been computed. So a step can be abandoned, repeated, or kept in part.
 */
export interface KvSequence {
  /** Committed rows. */
  readonly length: number;
  /** Rows that were there when it was opened, and are not computed. */
  readonly cachedCount: number;
  /** Committed rows that one which begins alike would find now, where prefixes are shared. */
  readonly sharedCount: number;
  /** Bytes allocated for it alone. */
  readonly byteCount: number;
  /** The most rows that it is to have. A sequence that repairs another one has done its work with them; any other has no such bound (infinite). */
  readonly rowCountMax: number;
  /** Where it repairs another one: what it computes again. Sequences with the same one compute the same rows, and who of them is done has repaired all of theirs. */
  readonly mends?: object | undefined;
}

/** What is known of a sequence when it is opened: by it cached rows are found, and named for those who come after. */
export type SequencePrompt = Readonly<{
  /** Prompt, and the output that is known already. */
  tokenIds: readonly number[];
  /** The chain over the prompt's whole blocks, where it is known; empty: it is computed. See `BlockHashes` in libs/kv. */
  blockHashes: Uint8Array;
  /** What its chain begins with besides the model: prefixes are found again by those of the same salt. Absent: "". */
  salt?: string;
  images: readonly PromptImage[];
  /** False: every row is computed. */
  reuse: boolean;
  /** Rows that it may come to have: by it is decided where its KV lives. */
  rowCountMax: number;
}>;

/** Bytes of one kind of layers: allocated = referenced + cached. */
export type KvUse = Readonly<{ referenced: number; cached: number }>;

/**
 * The KV of all sequences that a worker computes, in ids and bytes: who has which rows, what is found again, and what other workers keep of
 * long sequences. Where the rows' numbers are it does not know, so one store serves every device.
 */
export interface SequenceStore {
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
  /**
   * Before a sequence is opened: takes over what other workers keep of its prompt for workers that do not read it any more. Undefined where there is nothing to ask for. Resolves
   * to whether it is worth asking again soon. Nothing depends on it but how much is found.
   */
  prepare(prompt: SequencePrompt): Promise<boolean> | undefined;
  /** Opens a sequence behind the longest cached prefix of its prompt. Without a prompt nothing is found and nothing stays. */
  open(prompt?: SequencePrompt): KvSequence;
  /** Bytes that {@link reserve} would allocate. */
  bytesNeeded(sequence: KvSequence, rowCount: number): number;
  /** Allocates rows [length, length + rowCount). False, with nothing changed, when the memory is not there. */
  reserve(sequence: KvSequence, rowCount: number): boolean;
  /** Whether a step may have the sequence: what it has on its way to other workers is bounded, and these have said what they still have of it. */
  isSettled(sequence: KvSequence): boolean;
  /** Resolves as soon as one of these sequences, which are not settled, may be; it is to be looked at again then. */
  settled(sequences: readonly KvSequence[]): Promise<void>;
  /**
   * The next rows, which are reserved and computed, count from now on: the rows of these tokens, which may be fewer than a step has written.
   * Chunked layers drop what lies before the last boundary.
   */
  commit(sequence: KvSequence, tokenIds: Int32Array): void;
  /**
   * What is to be computed before the sequence goes on: rows of it that another worker has lost. They are stepped and committed like any
   * sequence's, from its `length` to its `rowCountMax`; then the next ones are asked for. `sending`: they are computed, by
   * it or by another sequence that has them as well, and it waits until another worker has taken them. Undefined: nothing is lost.
   */
  repair(sequence: KvSequence): KvSequence | "sending" | undefined;
  /** Lets go of the sequence's KV; what may be found again stays cached while there is room. */
  close(sequence: KvSequence): void;
}
