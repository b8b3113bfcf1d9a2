// Graphs.

/** An initializer of more bytes travels beside the model, so that no protobuf comes near its limit of 2 GiB. */
export const INLINE_BYTES_MAX = 1024;

// The text model.

/** Causal masks that are kept, by their shape; where there are more, all are made anew. */
export const MASKS_MAX = 64;

/**
 * Bytes of the weights that the stages of a single row have once more, packed for themselves; of a larger model they are not made. So many bytes are
 * read in 4 ms, of which calling some twenty sessions more is a tenth.
 */
export const SINGLE_ROW_BYTES_MAX = 64 * 2 ** 20;

/**
 * Cached rows that a row attends to in place, where many rows decode and where one passes its own stages. ONNX Runtime's operator reads keys once for each
 * query head, in place of once for all that share them, so that of more rows views are read faster, and a run for each layer's attention is made up for.
 */
export const IN_PLACE_ROWS_MAX = 128;
export const SINGLE_ROW_CACHED_MAX = 512;

/** Rows of one run of the head: so many rows' logits exist at once, and more rows are more runs. */
export const HEAD_ROWS_MAX = 256;

/**
 * Freed KV buffers of one size that are kept for reuse, because allocating zeroes them again and feeds the garbage collector, and their bytes
 * over all sizes. More are freed.
 */
export const SPARE_BUFFERS_MAX = 256;
export const SPARE_BYTES_MAX = 64 * 2 ** 20;

// The vision encoder's thread.

/**
 * Rows that are encoded in one run, or one tile's where it has more. Their activations are in memory at once: for Maverick a tile's 577 rows take 13 MB
 * in an MLP and 21 MB of attention scores. More rows gain nothing: at 577 a run has 99 GFLOP/s of one core, and 4 tiles are slower by a tenth.
 */
export const VISION_ROWS_MAX = 640;

/** A thread that has not ended by itself after so long, which a stage takes even on a busy machine, is stopped, whatever that does. */
export const VISION_END_MS_MAX = 30_000;

/** Images that wait for the encoder; more are refused as overloaded. */
export const VISION_QUEUE_MAX = 256;

/** Bytes of pixels that wait: at most 17 tiles of 338,688 bytes are one of Maverick's images, so that some 90 of the largest fit. */
export const VISION_QUEUE_BYTES_MAX = 512 * 2 ** 20;
