/** Ids that a buffer holds before it grows. */
export const TOKEN_BUFFER_MIN = 1024;

/** Ids up to which a buffer keeps the memory that it grew to. */
export const TOKEN_BUFFER_KEPT_MAX = 2 ** 16;

/** A token's id: more than any vocabulary has. */
export const TOKEN_ID_MAX = 10_000_000;

/** Pairs that a tokenizer.model makes: Llama 4's 200,000 tokens make 440,000. */
export const PAIRS_MAX = 2 ** 22;

/** Ranks of merges: with a position of 32 bits they fit in a double's 53. */
export const MERGES_MAX = 2 ** 21;

/**
 * Bytes of tokenizer.json and tokenizer.model: Llama 4's have 28 MB and 3.6 MB.
 */
export const TOKENIZER_FILE_BYTES_MAX = 256 * 2 ** 20;

/** Symbols up to which scanning for the least rank beats a queue of pairs. */
export const SCANNED_SYMBOLS_MAX = 64;

/**
 * Pieces that a thread remembers with their ids: words repeat, long runs do not. Its memory: slots x (2 bytes x units + 4 bytes x (ids + 2)),
 * 4.7 MB.
 */
export const CACHE_SLOTS = 2 ** 16;
export const CACHED_PIECE_UNITS_MAX = 20;
export const CACHED_PIECE_IDS_MAX = 6;

/** A token's bytes: Llama 4's longest has 128. */
export const TOKEN_BYTES_MAX = 4096;

/** Bytes of a piece up to which a thread keeps the memory that it took. */
export const SCRATCH_BYTES_MAX = 2 ** 20;
