/**
 * Tokens that one hash of a chain covers, a constant of the protocol: every process that names a prefix cuts it here.
 * 64 is the step by which buffers grow, so a cached prefix ends where an allocation can end. A hit loses 32 tokens on
 * average; a 1,048,576-token prompt carries 256 KiB of hashes beside its 4 MiB of ids. Half the block would double
 * hashes, index and wire for 16 tokens a hit.
 */
export const BLOCK_TOKENS = 64;

/**
 * Bytes of a block's hash: SHA-256 cut to 128 bits. A wrong hit is a wrong answer; 2^64 blocks make a chance collision
 * likely.
 */
export const BLOCK_HASH_BYTES = 16;

/**
 * Shared rows before a sequence's own ones in a segment are copied when they are fewer: one more part costs more than
 * it saves.
 */
export const SHARE_ROWS_MIN = 128;

/** Parts that attention merges in one segment of one sequence; what would be more is copied together. */
export const SEGMENT_PARTS_MAX = 4;

/**
 * Nodes of cached prefixes, of both kinds together; beyond, leaves are evicted. 2^18 of 8,192 rows are far beyond any
 * memory, so this bounds the index of odd small ones.
 */
export const CACHED_NODES_MAX = 2 ** 18;

/**
 * Events that wait to be taken. Beyond, all are dropped and the numbers leave a gap, so that the reader asks for a
 * snapshot.
 */
export const CACHE_EVENTS_MAX = 65_536;

/**
 * Different slopes of an eviction policy's priorities: the queue compares the first leaf of each. A policy that has
 * more is a bug.
 */
export const EVICTION_SLOPES_MAX = 32;

/** Least rows of a global segment: it is the least multiple of the chunk that has so many. */
export const SEGMENT_ROWS_MIN = 1024;

/** Rows by which a segment's buffer grows, or the whole chunk where that is less. */
export const BUFFER_BLOCK_ROWS = 64;

/** Segments that a striped sequence holds itself: the one that grows, and two that are on their way to holders. Its step waits for more. */
export const OWN_SEGMENTS_MAX = 3;

/** A worker's KV must hold a sequence of so many tokens, or nobody could ask it anything. */
export const KV_TOKENS_MIN = 256;

/** What prompts' chains of hashes begin with, kept by tenant; beyond it the one that was made first is made again when it is asked for. */
export const SEED_HASHES_KEPT_MAX = 256;
