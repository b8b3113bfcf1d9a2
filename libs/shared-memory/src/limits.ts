/** Random bytes by which whoever maps a segment knows that it is the one that was offered. */
export const NONCE_BYTES = 32;

/** Bytes of a segment that no other process may ask this one to exceed; a larger offer is refused. */
export const SEGMENT_BYTES_MAX = 256 * 2 ** 20;
