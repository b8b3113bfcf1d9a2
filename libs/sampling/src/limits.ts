/**
 * Below e^-80 a token's share is under 1e-34: no draw of 53 bits reaches it, so such tokens are left out from the
 * start.
 */
export const EXPONENT_LEAST = -80;

/**
 * Buckets of the ranking's histogram, 0.08 nats each. Only the one bucket where a limit falls is sorted: of 200,000
 * logits spread over a few nats it holds some thousands.
 */
export const BUCKET_COUNT = 1024;

/** Tokens of an output's end that are compared with banned sequences; a longer one never matches, and routers write none. */
export const ENDING_TOKENS_MAX = 64;
