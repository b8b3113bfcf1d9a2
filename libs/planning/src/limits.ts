/** GPUs of one fleet that a plan considers. */
export const GPUS_MAX = 1024;

/** Memory of one GPU that a plan suggests at most: the largest cards have 288 GB. */
export const SUGGESTED_GPU_BYTES_MAX = 288 * 2 ** 30;

/** Sequences that decode in one step for which logits are accounted. */
export const LOGIT_ROWS = 64;

/** Lengths of requests that every plan counts. */
export const REQUEST_TOKENS = [8192, 131_072, 1_048_576, 10_485_760] as const;

/**
 * How many times its floor a step takes on one card: measured on an H200 through the whole server, with Scout's shapes in int4, 2.0, 1.7, 1.8 and 1.9 times at 1, 8, 32 and 64 streams
 * (docs/gpu.md). What rows on their way between cards add is not in it.
 */
export const CARD_STEP_FACTOR = 1.9;

/** Sequences that decode together for which the floor of a step's time is stated. */
export const BATCH_SIZES = [1, 8, 32, 64, 128, 256] as const;
