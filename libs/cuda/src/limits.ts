/** Arguments of one kernel launch: the longest list of the kernels here, with room. More is a bug. */
export const KERNEL_ARGUMENTS_MAX = 32;

/** Bytes of a matrix that are in this process's memory at once on their way to the card; more are read in turns. */
export const UPLOAD_BYTES = 64 * 2 ** 20;

/** Routed experts of a layer: what one block of the routing kernel sorts. A model with more is refused. */
export const EXPERTS_MAX = 1024;

/** Rows of one run of the head: bounds the logits that exist at once. A step that wants more has several runs. */
export const HEAD_ROWS_MAX = 64;

/** Likeliest tokens that the card finds for a row: as many as the API may ask for. */
export const TOP_COUNT_MAX = 20;

/** Pairs of a row and a part of its positions whose sums exist at once; attention of more rows has several runs. */
export const ATTENTION_PARTS_MAX = 4096;
