/**
 * A draw in [0, 1) with 53 random bits: a pure function of (seed, choice, index), so that any attempt on any worker draws alike.
 * Four rounds of murmur3's 32-bit finalizer over the inputs' words; source: Appleby, MurmurHash3 (fmix32).
 */
export function draw(seed: number, choice: number, index: number): number {
  let high = mix(seed >>> 0, 0x9e3779b9);
  high = mix(high, Math.floor(seed / 2 ** 32) >>> 0);
  high = mix(high, choice >>> 0);
  high = mix(high, index >>> 0);
  const low = mix(high, 0x85ebca6b);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

function mix(state: number, word: number): number {
  let h = (state ^ word) >>> 0;
  h = Math.imul(h + 0x6d2b79f5, 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  h ^= h >>> 16;
  return h >>> 0;
}
