import type { KvDtype, SegmentRows } from "@drover/core";
import type { ExtentId, KvStore } from "@drover/kv";

/**
 * Where the rows of a worker's sequences are: buffers in memory, or pages on a card. Beside what the cache asks of a store, it reads finished
 * segments for the workers that take them over. Every executor brings one.
 */
export interface SequenceStorage extends KvStore {
  /** What keys and values are kept as. */
  readonly dtype: KvDtype;
  /**
   * Keys and values of each layer of an extent's kind, for all rows of its capacity, as {@link SegmentRows} has them. Good for as long as the extent
   * is allocated and not resized; where it is freed meanwhile, what comes back is of no use, and nobody uses it.
   */
  read(extent: ExtentId): Promise<SegmentRows["layers"]>;
}
