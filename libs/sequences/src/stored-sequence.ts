import { assert, type KvSequence } from "@drover/core";
import { KV_KINDS, type KvCache, type KvKind, type KvPart, type OpenSequence, rowBytesOf } from "@drover/kv";
import type { SequenceStripes } from "./sequence-stripes.ts";

/** Of a sequence whose old global rows are with holders: where. `repairs`: it only computes that lost segment again. */
export type StripedKv = Readonly<{ stripes: SequenceStripes; repairs?: number }>;

export type StoredSequenceOptions = Readonly<{
  cache: KvCache;
  handle: OpenSequence;
  /** Whether its rows stay cached when it is closed. */
  keep: boolean;
  striped?: StripedKv;
}>;

/**
 * One sequence's KV: which rows it sees, and in which extents they are, is the cache's to say; what is in them the executor's. Rows beyond
 * `length` belong to a step that may still be abandoned.
 */
export class StoredSequence implements KvSequence {
  readonly handle: OpenSequence;
  readonly keep: boolean;
  readonly stripes: SequenceStripes | undefined;
  readonly repairs: number | undefined;
  /** Computes what is lost of this one. */
  repair: StoredSequence | undefined;
  readonly #cache: KvCache;

  constructor({ cache, handle, keep, striped }: StoredSequenceOptions) {
    this.handle = handle;
    this.keep = keep;
    this.stripes = striped?.stripes;
    this.repairs = striped?.repairs;
    this.#cache = cache;
  }

  get length(): number {
    return this.handle.length;
  }

  get cachedCount(): number {
    if (this.stripes === undefined || this.repairs !== undefined) return this.handle.cachedCount;
    return this.stripes.foundCount * this.#cache.geometry.segmentRows;
  }

  get sharedCount(): number {
    return this.stripes === undefined ? this.length : this.stripes.heldCount * this.#cache.geometry.segmentRows;
  }

  /** Global segments before it are read from holders. */
  get remoteEnd(): number {
    return this.repairs ?? this.stripes?.end ?? 0;
  }

  get rowCountMax(): number {
    return this.repairs === undefined
      ? Number.POSITIVE_INFINITY
      : (this.repairs + 1) * this.#cache.geometry.segmentRows;
  }

  /** The segment that it computes again, which all sequences that read it have in common. */
  get mends(): object | undefined {
    return this.repairs === undefined ? undefined : this.stripes?.at(this.repairs);
  }

  /** Bytes that are its own: what it views of others is not among them. */
  get byteCount(): number {
    let bytes = this.repair?.byteCount ?? 0;
    for (const kind of KV_KINDS) {
      const rowBytes = rowBytesOf(this.#cache.geometry, kind);
      for (const { capacity } of this.handle[kind].ownExtents) bytes += capacity * rowBytes;
    }
    return bytes;
  }

  /** Positions before it have their rows of a kind already, as a view, and are not written. */
  writeFrom(kind: KvKind): number {
    return this.handle.writeFrom(kind);
  }

  /** Where the rows of one of its segments are, ascending, up to what is reserved. Good for one step: between two of them rows may move. */
  parts(kind: KvKind, segment: number): readonly KvPart[] {
    return this.#cache.parts(this.handle, kind, segment);
  }

  /** The rows of these tokens count from now on, and so do their ids. */
  commit(tokenIds: Int32Array): void {
    const { hashes } = this.handle;
    const known = hashes.tokenCount - this.length;
    if (this.repairs === undefined && known < tokenIds.length) hashes.append(tokenIds.subarray(Math.max(0, known)));
    this.#cache.commit(this.handle, tokenIds.length);
  }
}

/** The sequence as its store has opened it. A bug where it is another store's. */
export function stored(sequence: KvSequence): StoredSequence {
  assert(sequence instanceof StoredSequence, "a sequence is stored where it was opened");
  return sequence;
}
