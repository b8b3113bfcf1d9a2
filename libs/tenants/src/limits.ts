/** Keys of one file; one with more is refused, whole. Sum with the longest of names and lists: some 64 MiB. */
export const KEYS_MAX = 100_000;

/** Characters of a tenant's name, and of its group's. */
export const NAME_CHARACTERS_MAX = 64;

/** Weights lie between these: a tenant has at most ten thousand times another one's part. */
export const WEIGHT_MIN = 0.01;
export const WEIGHT_MAX = 100;

/** When to come back where only the end of another request makes room. */
export const CONCURRENT_RETRY_MS = 1000;
