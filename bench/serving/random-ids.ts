let state = 1;

/** A prompt of so many random token ids, each below 3000. The next call's is another one. */
export function randomIds(count: number): number[] {
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * 3000);
  });
}
