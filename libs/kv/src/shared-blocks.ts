import { BLOCK_HASH_BYTES } from "./limits.ts";

/**
 * How many hashes two prompts' chains have in common, from the first one on: [blocks, 16 bytes] each, all of them or
 * the same sample. A block's hash is of everything before it too, so that halving finds the end.
 */
export function sharedHashCount(a: Uint8Array, b: Uint8Array): number {
  let low = 0;
  let high = Math.floor(Math.min(a.length, b.length) / BLOCK_HASH_BYTES);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isEqualAt(a, b, middle * BLOCK_HASH_BYTES)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isEqualAt(a: Uint8Array, b: Uint8Array, from: number): boolean {
  for (let i = from; i < from + BLOCK_HASH_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}
