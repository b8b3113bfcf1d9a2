/**
 * Random numbers in [0, 1) that a seed repeats; for tests, whose failures must come back, and for loads that are sent twice.
 * mulberry32: one 32-bit word of state, each output a mix of it.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}
