import { philox4x32 } from "./philox.ts";

/**
 * A uniform number in [0, 1) with 53 random bits: a pure function of (seed, choice, index), so that any attempt on any
 * worker draws alike. The seed's 53 bits are Philox's key, choice and index its counter: no two of them ever share a
 * stream.
 */
export function uniform(seed: number, choice: number, index: number): number {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  const [high, low] = philox4x32([index >>> 0, choice >>> 0, 0, 0], key);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}
