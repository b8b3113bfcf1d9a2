import { at } from "@drover/core";
import { constraintFault } from "../constraint-fault.ts";
import { DIGITS_MAX } from "../json/json-text.ts";
import type { Bound, NumberQuery } from "./number-query.ts";

/** Beyond it a double does not tell all whole numbers apart. */
const EXACT_MAX = Number.MAX_SAFE_INTEGER;

/** The least size of numbers that have more digits than are written where nothing asks for them. */
const LARGE = 10 ** DIGITS_MAX;

/**
 * Patterns that a number matches all of, where bounds leave only numbers of more than `DIGITS_MAX` digits: they are whole, and where a double has not all
 * of them, a bound is moved inwards by the distance of two, so that a reader who rounds and one who does not find the number within. Undefined where
 * smaller numbers are left. Errors: `invalid_argument`, naming the place, for multiples among them.
 */
export function largeNumberPatterns(query: NumberQuery, place: string): readonly string[] | undefined {
  const { lower, upper, divisors } = query;
  const isPositive = lower.some(isBeyond);
  const isNegative = upper.some(({ value, isStrict }) => isBeyond({ value: -value, isStrict }));
  if (!isPositive && !isNegative) return undefined;
  if (divisors.length > 0)
    throw constraintFault(`${place}.multipleOf`, "cannot be enforced beside bounds of more than 15 digits");
  const opposite = ({ value, isStrict }: Bound): Bound => ({ value: -value, isStrict });
  const [least, most] = isPositive ? [lower, upper] : [upper.map(opposite), lower.map(opposite)];
  const from = at(
    least.map(upwards).toSorted((a, b) => (a > b ? -1 : 1)),
    0,
  );
  const sizes = [sizeFrom(from), ...most.map((bound) => sizeTo(-upwards(opposite(bound))))];
  return isPositive ? sizes : sizes.map((size) => `-(?:${size})`);
}

const isBeyond = ({ value, isStrict }: Bound): boolean => value >= LARGE || (isStrict && value >= LARGE - 1);

/** The least whole number that is within a lower bound, for whoever reads the bound's digits or its double. */
function upwards({ value, isStrict }: Bound): bigint {
  const distance = 2 ** (Math.floor(Math.log2(Math.max(1, Math.abs(value)))) - 52);
  const isExact = Math.abs(value) <= EXACT_MAX;
  const inner = isExact ? Math.ceil(value) : value + distance;
  return BigInt(isExact && isStrict && inner === value ? inner + 1 : inner);
}

/** Whole numbers from a size up, of as many digits as it has, or one more. */
function sizeFrom(least: bigint): string {
  const digits = String(least);
  const longer = `[1-9]\\d{${digits.length}}`;
  return [digits, longer, ...beside(digits, (digit) => [digit + 1, 9])].join("|");
}

/** Whole numbers up to a size; `[]`, which nothing matches, where that is below 1. */
function sizeTo(most: bigint): string {
  if (most < 1n) return "[]";
  const digits = String(most);
  const shorter = digits.length > 1 ? [`[1-9]\\d{0,${digits.length - 2}}`] : [];
  return [digits, ...shorter, ...beside(digits, (digit, i) => [i === 0 ? 1 : 0, digit - 1])].join("|");
}

/** Numbers of the same length that begin alike, up to a digit of a range. */
function beside(digits: string, rangeOf: (digit: number, index: number) => readonly [number, number]): string[] {
  return Array.from(digits).flatMap((digit, i) => {
    const [first, last] = rangeOf(Number(digit), i);
    const rest = digits.length - i - 1;
    return first > last ? [] : [`${digits.slice(0, i)}[${first}-${last}]${rest === 0 ? "" : `\\d{${rest}}`}`];
  });
}
