/** A bound of numbers: `isStrict` where the bound itself is refused. */
export type Bound = Readonly<{ value: number; isStrict: boolean }>;

/** What numbers are asked for. */
export type NumberQuery = Readonly<{
  isWhole: boolean;
  lower: readonly Bound[];
  upper: readonly Bound[];
  /** Whole divisors. */
  divisors: readonly number[];
}>;
