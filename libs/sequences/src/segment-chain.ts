import { BLOCK_TOKENS, type BlockHashes } from "@drover/kv";
import type { SegmentBlocks } from "./segment-index.ts";

/** A sequence's segments by the names of their blocks. */
export class SegmentChain {
  readonly #hashes: BlockHashes;
  readonly #blockCount: number;

  /** `segmentRows`: whole blocks, or its segments have no names. The chain grows as `hashes` does. */
  constructor(hashes: BlockHashes, segmentRows: number) {
    this.#hashes = hashes;
    this.#blockCount = segmentRows % BLOCK_TOKENS === 0 ? segmentRows / BLOCK_TOKENS : 0;
  }

  /** The name of the prefix that ends with a segment; undefined where not all of its blocks are known. */
  prefixOf(segment: number): string | undefined {
    const end = (segment + 1) * this.#blockCount;
    return this.#blockCount === 0 || end > this.#hashes.blockCount ? undefined : this.#hashes.key(end - 1);
  }

  /** Undefined where not all of them are known. */
  blocksOf(segment: number): SegmentBlocks | undefined {
    if (this.prefixOf(segment) === undefined) return undefined;
    return Array.from({ length: this.#blockCount }, (_, i) => this.#hashes.key(segment * this.#blockCount + i));
  }
}
