/** Pearson's statistic of counts against expected shares. */
export function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * (shares[i] ?? 0);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** Values of chi-square that are exceeded with probability 0.001, by degrees of freedom. */
export const CHI_SQUARE_LIMIT = { 4: 18.5, 9: 27.9, 15: 37.7 } as const;
