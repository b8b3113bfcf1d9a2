/** GPUs of one fleet that a plan considers. */
export const GPUS_MAX = 1024;

/** Memory of one GPU that a plan suggests at most: the largest cards have 288 GB. */
export const SUGGESTED_GPU_BYTES_MAX = 288 * 2 ** 30;

/** Sequences that decode in one step for which logits are accounted. */
export const LOGIT_ROWS = 64;

/** Lengths of requests that every plan counts. */
export const REQUEST_TOKENS = [8192, 131_072, 1_048_576, 10_485_760] as const;

/** Sequences that decode together for which the floor of a step's time is stated. */
export const BATCH_SIZES = [1, 8, 32, 64, 128, 256] as const;
