import { intersect } from "../automaton/automaton.ts";
import { automatonExpression } from "../automaton/automaton-expression.ts";
import { type Machine, multipleMachine } from "../automaton/machine.ts";
import { regexMachine } from "../automaton/regex-machine.ts";
import type { Budget } from "../budget.ts";
import { characters, type Expression } from "../expression.ts";
import { DIGITS_MAX } from "../json/json-text.ts";
import { matched } from "../regex/anchored.ts";
import { parseRegex } from "../regex/parse-regex.ts";
import type { RuleBook } from "../rule-book.ts";
import { largeNumberPatterns } from "./large-number-text.ts";
import type { Bound, NumberQuery } from "./number-query.ts";

const WHOLE = `-?(?:0|[1-9]\\d{0,${DIGITS_MAX - 1}})`;

/**
 * Numbers between bounds, in decimal digits: as many as a double tells apart, so that what is read is where its digits say.
 * Errors: `invalid_argument`, naming the place.
 */
export function numberExpression(query: NumberQuery, rules: RuleBook, budget: Budget, place: string): Expression {
  const { isWhole, lower, upper, divisors } = query;
  const large = largeNumberPatterns(query, place);
  if (large !== undefined) return matching(large, [], rules, budget, place);
  const fractionMax = isWhole || divisors.length > 0 ? 0 : fractionDigits([...lower, ...upper]);
  const sources = [
    fractionMax === 0 ? WHOLE : `${WHOLE}(?:\\.\\d{1,${fractionMax}})?`,
    ...lower.map((bound) => signed(atLeast(bound, fractionMax))),
    ...upper.map((bound) => signed(atMost(bound, fractionMax))),
  ];
  return matching(sources, divisors, rules, budget, place);
}

/** What all patterns match, and every divisor divides. */
function matching(
  sources: readonly string[],
  divisors: readonly number[],
  rules: RuleBook,
  budget: Budget,
  place: string,
): Expression {
  const machines: Machine[] = sources.map((source) =>
    regexMachine(matched(parseRegex(source, place), place), budget, place),
  );
  machines.push(...divisors.map(multipleMachine));
  return automatonExpression(intersect(machines, budget, place), characters, rules);
}

/** Digits behind the point, so that with those before it a double has them all. */
function fractionDigits(bounds: readonly Bound[]): number {
  const before = bounds.map(({ value }) => decimal(Math.abs(value)).whole.length);
  return Math.max(1, DIGITS_MAX - Math.max(1, ...before));
}

type Decimal = Readonly<{ whole: string; fraction: string }>;

/** A number of at least 0 in digits, without zeros that say nothing. */
function decimal(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [before = "0", behind = ""] = mantissa.split(".");
  const digits = before + behind;
  const point = before.length + Number(exponent);
  const whole = digits
    .slice(0, Math.max(0, point))
    .padEnd(point, "0")
    .replace(/^0+(?=.)/, "");
  const fraction = point < 0 ? "0".repeat(-point) + digits : digits.slice(point);
  return { whole: whole === "" ? "0" : whole, fraction: fraction.replace(/0+$/, "") };
}

/** Sizes of numbers, as patterns: of those from 0 on, and of those behind a minus. */
type Sides = Readonly<{ positive: string; negative: string }>;

/** Numbers from a bound up. */
function atLeast({ value, isStrict }: Bound, fractionMax: number): Sides {
  const size = decimal(Math.abs(value));
  if (value > 0) return { positive: greater(size, isStrict, fractionMax), negative: NONE };
  const positive = value === 0 && isStrict ? greater(size, true, fractionMax) : anySize(fractionMax);
  return { positive, negative: less(size, isStrict, fractionMax) };
}

/** Numbers from a bound down: those whose opposites are from its opposite up. */
function atMost({ value, isStrict }: Bound, fractionMax: number): Sides {
  const { positive, negative } = atLeast({ value: -value, isStrict }, fractionMax);
  return { positive: negative, negative: positive };
}

const signed = ({ positive, negative }: Sides): string => `(?:${positive}|-${negative})`;

/** What takes nothing. */
const NONE = "[]";

const anySize = (fractionMax: number) => group([`(?:0|[1-9]\\d{0,${DIGITS_MAX - 1}})${optionalFraction(fractionMax)}`]);
const optionalFraction = (max: number) => (max === 0 ? "" : `(?:\\.\\d{1,${max}})?`);
const group = (options: readonly string[]) => (options.length === 0 ? NONE : `(?:${options.join("|")})`);
const digits = (min: number, max: number) => (max <= 0 ? "" : `\\d{${Math.max(0, min)},${max}}`);
const range = (first: number, last: number) => (first > last ? NONE : `[${first}-${last}]`);

/** Sizes above one, and the same where that is not strict. */
function greater({ whole, fraction }: Decimal, isStrict: boolean, fractionMax: number): string {
  const options = [`${greaterWhole(whole)}${optionalFraction(fractionMax)}`];
  if (fractionMax === 0) {
    if (!isStrict && fraction === "") options.push(whole);
    return group(options);
  }
  if (fraction === "")
    options.push(
      isStrict ? `${whole}\\.${digits(0, fractionMax - 1)}[1-9]` : `${whole}${optionalFraction(fractionMax)}`,
    );
  else options.push(`${whole}\\.${greaterFraction(fraction, isStrict, fractionMax)}`);
  return group(options);
}

function less({ whole, fraction }: Decimal, isStrict: boolean, fractionMax: number): string {
  const options = [`${lessWhole(whole)}${optionalFraction(fractionMax)}`];
  if (fraction === "" && !isStrict) options.push(fractionMax === 0 ? whole : `${whole}(?:\\.0{1,${fractionMax}})?`);
  if (fraction !== "") {
    options.push(whole);
    if (fractionMax > 0) options.push(`${whole}\\.${lessFraction(fraction, isStrict, fractionMax)}`);
  }
  return group(options);
}

function greaterWhole(whole: string): string {
  const rest = whole.length;
  const longer = rest < DIGITS_MAX ? [`[1-9]${digits(rest, DIGITS_MAX - 1)}`] : [];
  if (rest > DIGITS_MAX) return NONE;
  const same = Array.from(
    whole,
    (digit, i) => `${whole.slice(0, i)}${range(Number(digit) + 1, 9)}${digits(rest - i - 1, rest - i - 1)}`,
  );
  return group([...(whole === "0" ? [`[1-9]${digits(0, DIGITS_MAX - 1)}`] : [...longer, ...same])]);
}

function lessWhole(whole: string): string {
  const length = whole.length;
  if (length > DIGITS_MAX) return `(?:0|[1-9]\\d{0,${DIGITS_MAX - 1}})`;
  const shorter = length > 1 ? ["0", `[1-9]${digits(0, length - 2)}`] : [];
  const same = Array.from(whole, (digit, i) => {
    const first = i === 0 && length > 1 ? 1 : 0;
    return `${whole.slice(0, i)}${range(first, Number(digit) - 1)}${digits(length - i - 1, length - i - 1)}`;
  });
  return group([...shorter, ...same]);
}

function greaterFraction(fraction: string, isStrict: boolean, max: number): string {
  const options = Array.from(fraction, (digit, i) =>
    i >= max ? NONE : `${fraction.slice(0, i)}${range(Number(digit) + 1, 9)}${digits(0, max - i - 1)}`,
  );
  const rest = max - fraction.length;
  if (rest >= 0 && !isStrict) options.push(`${fraction}${digits(0, rest)}`);
  if (rest > 0 && isStrict) options.push(`${fraction}${digits(0, rest - 1)}[1-9]`);
  return group(options);
}

function lessFraction(fraction: string, isStrict: boolean, max: number): string {
  const options = Array.from(fraction, (digit, i) =>
    i >= max ? NONE : `${fraction.slice(0, i)}${range(0, Number(digit) - 1)}${digits(0, max - i - 1)}`,
  );
  for (let i = 1; i < fraction.length && i <= max; i++) options.push(fraction.slice(0, i));
  const rest = max - fraction.length;
  if (rest >= 0 && !isStrict) options.push(`${fraction}${rest === 0 ? "" : `0{0,${rest}}`}`);
  return group(options);
}
