import type { EvictionPolicy } from "./eviction/policy.ts";

/**
 * What a cache may take, and how it uses it. A new option is named here and read in KvCache; whoever builds one passes
 * this object on.
 */
export type KvCacheOptions = Readonly<{
  /** Bytes of all extents, referenced and cached. */
  bytesMax: number;
  /** Off: every sequence has its own rows, and nothing stays after it. */
  prefixCache: boolean;
  /** Bytes of what no open sequence uses; bytesMax unless given. */
  cachedBytesMax?: number;
  /** Which cached rows go first when bytes run out; {@link weightedAge} unless given. */
  evictionPolicy?: EvictionPolicy;
  /** See SHARE_ROWS_MIN. */
  shareRowsMin?: number;
  /** See SEGMENT_PARTS_MAX. */
  segmentPartsMax?: number;
}>;

/** How one sequence is opened. */
export type OpenOptions = Readonly<{
  /** Tokens of the prompt, one at least; the last of them is always computed. */
  promptLength: number;
  /**
   * False: all rows are computed (prompt log-probabilities), though global rows that are there are not stored again.
   */
  reuse?: boolean;
  /**
   * The rows before it are elsewhere: the sequence begins here, at a segment's border. Given (0 counts too), it finds
   * nothing and nothing of it is cached, so that {@link KvCache.giveUp} can let go of segments.
   */
  firstRow?: number;
}>;
