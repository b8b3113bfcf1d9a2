import { BoundedMap } from "@drover/core";

/** Counts since the start; bytes and entries now. */
export type FeatureCacheFacts = Readonly<{ hits: number; misses: number; byteCount: number; entryCount: number }>;

/** Images' features by content hash: least recently used ones go when there are too many bytes. */
export class FeatureCache {
  readonly bytesMax: number;
  readonly #entries: BoundedMap<string, Float32Array>;
  #hits = 0;
  #misses = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.#entries = new BoundedMap({ bytesMax }, ({ byteLength }) => byteLength);
  }

  get facts(): FeatureCacheFacts {
    return {
      hits: this.#hits,
      misses: this.#misses,
      byteCount: this.#entries.byteCount,
      entryCount: this.#entries.size,
    };
  }

  /** Whether features of so many bytes can be kept at all. */
  fits(byteCount: number): boolean {
    return byteCount <= this.bytesMax;
  }

  /** Counts a hit or a miss. A hit counts as use. */
  find(contentHash: string): Float32Array | undefined {
    const rows_aD = this.read(contentHash);
    if (rows_aD === undefined) this.#misses += 1;
    else this.#hits += 1;
    return rows_aD;
  }

  /** As {@link find}, for the later steps of a request that has been counted. */
  read(contentHash: string): Float32Array | undefined {
    return this.#entries.use(contentHash);
  }

  /** Whether they are here; neither counted nor used. */
  has(contentHash: string): boolean {
    return this.#entries.has(contentHash);
  }

  /** Keeps features, [a, D], which must not change any more; others may have to go. False when they are larger than the whole cache. */
  put(contentHash: string, rows_aD: Float32Array): boolean {
    return this.fits(rows_aD.byteLength) && this.#entries.set(contentHash, rows_aD);
  }
}
