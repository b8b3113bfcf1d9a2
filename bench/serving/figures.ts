/** The middle one, the upper of two. NaN of none. */
export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

/** The number that a share of them is below. NaN of none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
