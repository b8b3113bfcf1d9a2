import { intersect, shortestLength } from "../automaton/automaton.ts";
import { automatonExpression } from "../automaton/automaton-expression.ts";
import { complementMachine, lengthMachine, listMachine, type Machine } from "../automaton/machine.ts";
import type { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { type Expression, NOTHING } from "../expression.ts";
import { jsonCharacter, quoted, stringOfLength } from "../json/json-text.ts";
import { LENGTH_STATES_MAX } from "../limits.ts";
import { boundedRegex, lengthsOf } from "../regex/bounded-regex.ts";
import { hasLook, isPartial, type Regex } from "../regex/regex.ts";
import { regexExpression } from "../regex/regex-expression.ts";
import type { RuleBook } from "../rule-book.ts";
import { NUMBER_FORMATS, VARIED } from "./formats.ts";
import { NOT_PATTERN, NOT_VALUES } from "./keywords.ts";
import type { Patterns } from "./patterns.ts";
import { listOf, type SchemaNode } from "./schema-node.ts";

/** What strings are asked for: each pattern with its place. */
export type StringQuery = Readonly<{
  lengthMin: number;
  lengthMax: number;
  patterns: ReadonlyArray<readonly [pattern: string, place: string]>;
  refusedPatterns: ReadonlyArray<readonly [pattern: string, place: string]>;
  refused: readonly string[];
}>;

/** What schemas that hold together ask of a string. Errors: `invalid_argument` for a format that cannot be enforced. */
export function stringQuery(nodes: readonly SchemaNode[], patterns: Patterns): StringQuery {
  let [lengthMin, lengthMax] = [0, Number.POSITIVE_INFINITY];
  const asked: [string, string][] = [];
  const refusedPatterns: [string, string][] = [];
  const refused: string[] = [];
  for (const { schema, place } of nodes) {
    if (typeof schema === "boolean") continue;
    const { minLength, maxLength, pattern, format } = schema;
    if (typeof minLength === "number") lengthMin = Math.max(lengthMin, minLength);
    if (typeof maxLength === "number") lengthMax = Math.min(lengthMax, maxLength);
    if (typeof pattern === "string") asked.push([pattern, `${place}.pattern`]);
    if (typeof format === "string" && !NUMBER_FORMATS.has(format))
      asked.push([patterns.ofFormat(format, `${place}.format`), `${place}.format`]);
    const not = schema[NOT_PATTERN];
    if (typeof not === "string") refusedPatterns.push([not, place]);
    for (const value of listOf(schema[NOT_VALUES])) if (typeof value === "string") refused.push(value);
  }
  return { lengthMin, lengthMax, patterns: asked, refusedPatterns, refused };
}

/** The strings in quotes. Errors: `invalid_argument`, naming the place, where that needs too many states. */
export function stringExpression(
  query: StringQuery,
  patterns: Patterns,
  rules: RuleBook,
  budget: Budget,
  place: string,
): Expression {
  const { lengthMin, lengthMax, refusedPatterns, refused } = query;
  if (lengthMin > lengthMax) return NOTHING;
  const isFree = refusedPatterns.length === 0 && refused.length === 0;
  const asked = [...new Map(query.patterns).entries()];
  const [only] = asked;
  if (isFree && only === undefined) return stringOfLength(lengthMin, lengthMax);
  const fitting = isFree && only !== undefined && asked.length === 1 ? fittingRegex(only, query, patterns) : undefined;
  if (fitting !== undefined) return quoted(regexExpression(fitting, jsonCharacter));
  const machines = [
    ...asked.map(([pattern, at]) => patterns.machine(VARIED.get(pattern)?.besides ?? pattern, at)),
    ...refusalMachines(query, patterns),
  ];
  const automaton = intersect([...machines, ...lengths(query, machines, budget, place)], budget, place);
  return quoted(automatonExpression(automaton, jsonCharacter, rules));
}

/** The texts of a pattern that are as long as is asked; undefined where only a machine knows them. */
function fittingRegex(
  [pattern, place]: StringQuery["patterns"][number],
  { lengthMin, lengthMax }: StringQuery,
  patterns: Patterns,
): Regex | undefined {
  const isBounded = lengthMax < Number.POSITIVE_INFINITY;
  for (const one of (isBounded ? VARIED.get(pattern)?.bounded : undefined) ?? [pattern]) {
    const regex = patterns.regex(one, place);
    if (hasLook(regex)) return undefined;
    const [min, max] = lengthsOf(regex);
    if (lengthMin <= min && max <= lengthMax) return regex;
    const bounded = boundedRegex(regex, lengthMin, lengthMax);
    if (bounded !== undefined) return bounded;
  }
  return undefined;
}

/** Machines of what a query refuses. Errors: `invalid_argument` for a pattern of which is not known what it does not take. */
export function refusalMachines({ refused, refusedPatterns }: StringQuery, patterns: Patterns): Machine[] {
  for (const [pattern, place] of refusedPatterns)
    if (isPartial(patterns.regex(pattern, place)))
      throw constraintFault(place, "cannot be enforced where values must not match its pattern");
  return [
    ...refusedPatterns.map(([pattern, place]) => complementMachine(patterns.machine(pattern, place))),
    ...(refused.length > 0 ? [complementMachine(listMachine(refused))] : []),
  ];
}

/** The bounds of lengths. Where texts may be longer than there are states, those are written that are shorter. */
function lengths(
  { lengthMin, lengthMax }: StringQuery,
  machines: readonly Machine[],
  budget: Budget,
  place: string,
): Machine[] {
  if (lengthMin === 0 && lengthMax === Number.POSITIVE_INFINITY) return [];
  if (machines.length === 0) return [lengthMachine(lengthMin, lengthMax)];
  const open = intersect(machines, budget, place);
  const shortest = shortestLength(open);
  if (shortest === undefined || shortest > lengthMax) return [lengthMachine(lengthMin, lengthMax)];
  if (longest(open) <= lengthMax)
    return lengthMin <= shortest ? [] : [lengthMachine(lengthMin, Number.POSITIVE_INFINITY)];
  const affordable = Math.floor(LENGTH_STATES_MAX / Math.max(1, open.length));
  return [lengthMachine(lengthMin, Math.min(lengthMax, Math.max(affordable, lengthMin, shortest)))];
}

/** The longest text's length, infinite where there is a circle. */
function longest(automaton: readonly Readonly<{ edges: ReadonlyArray<readonly [unknown, number]> }>[]): number {
  const lengths = new Map<number, number>();
  const open = new Set<number>();
  const from = (id: number): number => {
    const known = lengths.get(id);
    if (known !== undefined) return known;
    if (open.has(id)) return Number.POSITIVE_INFINITY;
    open.add(id);
    let length = 0;
    for (const [, target] of automaton[id]?.edges ?? []) length = Math.max(length, from(target) + 1);
    open.delete(id);
    lengths.set(id, length);
    return length;
  };
  return automaton.length === 0 ? 0 : from(0);
}
