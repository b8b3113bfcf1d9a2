import { assert, assertNever } from "@drover/core";
import { type CharacterSet, POINT_MAX, type PointRange } from "./character-set.ts";
import { choice, type Expression, isNothing, NOTHING, type Rules, repeat, rule, sequence, text } from "./expression.ts";
import { LISTED_POINTS_MAX } from "./limits.ts";

/** Separators of lines that a pattern's dot does not take: no constrained output has them but in JSON's escapes. */
export const NEVER_WRITTEN: readonly number[] = [0x2028, 0x2029];

const ASCII_LAST = 0x7f;
const SURROGATE_FIRST = 0xd800;
const SURROGATE_LAST = 0xdfff;

/**
 * A grammar in XGrammar's notation, whose root is the rule `root`. What no text can come of is left out, so that no output runs into a dead end.
 * Undefined where nothing is left. Of character sets beyond ASCII it writes all, none, or a few, because XGrammar's classes hold no others:
 * texts that it takes are always of the language, which may have more.
 */
export function writeGrammar(root: Expression, rules: Rules): string | undefined {
  const all = new Map([...rules, ["root", root] as const].map(([name, body]) => [name, writable(body)] as const));
  const productive = productiveRules(all);
  if (!productive.has("root")) return undefined;
  const lines: string[] = [];
  const reached = new Set(["root"]);
  for (const name of reached) {
    const body = all.get(name);
    assert(body !== undefined, "a rule that is used is defined");
    const pruned = prune(body, productive);
    for (const used of rulesOf(pruned)) reached.add(used);
    lines.push(`${name} ::= ${written(pruned)}`);
  }
  return lines.join("\n");
}

/** The same, with its characters as XGrammar can have them. */
function writable(expression: Expression): Expression {
  switch (expression.kind) {
    case "text":
      return hasNeverWritten(expression.text) ? NOTHING : expression;
    case "rule":
      return expression;
    case "characters":
      return characterClass(expression.set);
    case "sequence":
      return sequence(...expression.parts.map(writable));
    case "choice":
      return choice(...expression.options.map(writable).filter((option) => !isNothing(option)));
    case "repeat":
      return repeat(writable(expression.part), expression.min, expression.max);
    default:
      return assertNever(expression);
  }
}

function hasNeverWritten(value: string): boolean {
  return NEVER_WRITTEN.some((point) => value.includes(String.fromCodePoint(point)));
}

/** ASCII as a class; beyond it all characters, which only a negated class has, or each of a few by itself. */
function characterClass({ ranges }: CharacterSet): Expression {
  const ascii = ranges.flatMap(([first, last]): PointRange[] =>
    first > ASCII_LAST ? [] : [[first, Math.min(last, ASCII_LAST)]],
  );
  const beyond = ranges.flatMap(([first, last]): PointRange[] =>
    last <= ASCII_LAST ? [] : [[Math.max(first, ASCII_LAST + 1), last]],
  );
  const all = holdsAllBeyond(beyond);
  const pointCount = beyond.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const listed = all || pointCount > LISTED_POINTS_MAX ? [] : pointsOf(beyond);
  const asciiSet = { ranges: all ? [...ascii, [ASCII_LAST + 1, POINT_MAX] as const] : ascii, partial: false };
  const options: Expression[] = listed.map((point) => text(String.fromCodePoint(point)));
  if (asciiSet.ranges.length > 0) options.unshift({ kind: "characters", set: asciiSet });
  return choice(...options);
}

/** All but what is never written, and halves of surrogate pairs, which are no characters. */
function holdsAllBeyond(ranges: readonly PointRange[]): boolean {
  const skipped = (point: number) => {
    let next = point;
    while (NEVER_WRITTEN.includes(next)) next += 1;
    return next >= SURROGATE_FIRST && next <= SURROGATE_LAST ? SURROGATE_LAST + 1 : next;
  };
  let next = ASCII_LAST + 1;
  for (const [first, last] of ranges) {
    if (first > next && skipped(next) < first) return false;
    next = Math.max(next, last + 1);
  }
  return skipped(next) > POINT_MAX;
}

const pointsOf = (ranges: readonly PointRange[]): number[] =>
  ranges
    .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    .filter((point) => !NEVER_WRITTEN.includes(point) && (point < SURROGATE_FIRST || point > SURROGATE_LAST));

/** Names of rules that some text comes of. */
function productiveRules(rules: Rules): ReadonlySet<string> {
  const productive = new Set<string>();
  const yields = (expression: Expression): boolean => {
    switch (expression.kind) {
      case "text":
      case "characters":
        return true;
      case "rule":
        return productive.has(expression.name);
      case "sequence":
        return expression.parts.every(yields);
      case "choice":
        return expression.options.some(yields);
      case "repeat":
        return expression.min === 0 || yields(expression.part);
      default:
        return assertNever(expression);
    }
  };
  // Some rules are made before those that they use and some behind: both ways in turns, there is little to do twice.
  const forth = [...rules];
  const back = [...rules].reverse();
  for (let before = -1; before < productive.size; ) {
    before = productive.size;
    for (const order of [forth, back])
      for (const [name, body] of order) if (!productive.has(name) && yields(body)) productive.add(name);
  }
  return productive;
}

function prune(expression: Expression, productive: ReadonlySet<string>): Expression {
  switch (expression.kind) {
    case "text":
    case "characters":
      return expression;
    case "rule":
      return productive.has(expression.name) ? rule(expression.name) : NOTHING;
    case "sequence":
      return sequence(...expression.parts.map((part) => prune(part, productive)));
    case "choice":
      return choice(...expression.options.map((one) => prune(one, productive)).filter((one) => !isNothing(one)));
    case "repeat":
      return repeat(prune(expression.part, productive), expression.min, expression.max);
    default:
      return assertNever(expression);
  }
}

function rulesOf(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case "text":
    case "characters":
      return [];
    case "rule":
      return [expression.name];
    case "sequence":
      return expression.parts.flatMap(rulesOf);
    case "choice":
      return expression.options.flatMap(rulesOf);
    case "repeat":
      return rulesOf(expression.part);
    default:
      return assertNever(expression);
  }
}

function written(expression: Expression): string {
  switch (expression.kind) {
    case "text":
      return `"${Array.from(expression.text, (character) => escaped(character, '"\\')).join("")}"`;
    case "characters":
      return writtenClass(expression.set);
    case "rule":
      return expression.name;
    case "sequence":
      return expression.parts.map(grouped).join(" ");
    case "choice":
      return expression.options.map(grouped).join(" | ");
    case "repeat":
      return grouped(expression.part) + writtenCount(expression.min, expression.max);
    default:
      return assertNever(expression);
  }
}

const grouped = (expression: Expression): string =>
  expression.kind === "sequence" || expression.kind === "choice" || expression.kind === "repeat"
    ? `(${written(expression)})`
    : written(expression);

function writtenCount(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`;
  return min === 0 && max === 1 ? "?" : min === max ? `{${min}}` : `{${min},${max}}`;
}

/** Beyond ASCII a set has all or nothing here; all of it is what a negated class has. */
function writtenClass({ ranges }: CharacterSet): string {
  const negated = ranges.some(([, last]) => last > ASCII_LAST);
  const inside = negated ? gaps(ranges) : ranges;
  // An empty negated class is none that XGrammar can read; no vocabulary's text has the character NUL.
  const shown = negated && inside.length === 0 ? [[0, 0] as const] : inside;
  const end = (value: number) => escaped(String.fromCodePoint(value), '"\\[]^-');
  const body = shown.map(([first, last]) => (first === last ? end(first) : `${end(first)}-${end(last)}`));
  return `[${negated ? "^" : ""}${body.join("")}]`;
}

/** What of ASCII is not in the ranges. */
function gaps(ranges: readonly PointRange[]): PointRange[] {
  const missing: PointRange[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) missing.push([next, Math.min(first - 1, ASCII_LAST)]);
    next = last + 1;
  }
  return missing.filter(([first, last]) => first <= last);
}

/** A character as it is written where those of `special` stand behind a backslash. XGrammar takes `\\x` with any number of digits, `\\u` with four. */
function escaped(character: string, special: string): string {
  const value = character.codePointAt(0) ?? 0;
  if (special.includes(character)) return `\\${character}`;
  if (value >= 0x20 && value < 0x7f) return character;
  return value <= 0xffff ? `\\u${value.toString(16).padStart(4, "0")}` : `\\U${value.toString(16).padStart(8, "0")}`;
}
