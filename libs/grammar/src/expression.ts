import type { CharacterSet } from "./character-set.ts";

/** A set of texts. A choice without options is none at all. */
export type Expression =
  | Readonly<{ kind: "text"; text: string }>
  | Readonly<{ kind: "characters"; set: CharacterSet }>
  | Readonly<{ kind: "sequence"; parts: readonly Expression[] }>
  | Readonly<{ kind: "choice"; options: readonly Expression[] }>
  | Readonly<{ kind: "repeat"; part: Expression; min: number; max: number }>
  | Readonly<{ kind: "rule"; name: string }>;

/** Expressions that have names, so that they may hold each other. */
export type Rules = ReadonlyMap<string, Expression>;

/** The empty text alone. */
export const EMPTY: Expression = { kind: "text", text: "" };

/** No text. */
export const NOTHING: Expression = { kind: "choice", options: [] };

export const text = (value: string): Expression => ({ kind: "text", text: value });

/** One character of the set. */
export const characters = (set: CharacterSet): Expression =>
  set.ranges.length === 0 ? NOTHING : { kind: "characters", set };

export const rule = (name: string): Expression => ({ kind: "rule", name });

/** All parts in this order. */
export function sequence(...parts: readonly Expression[]): Expression {
  const flat = parts.flatMap((part) => (part.kind === "sequence" ? part.parts : [part]));
  if (flat.some(isNothing)) return NOTHING;
  const joined: Expression[] = [];
  for (const part of flat) {
    const last = joined.at(-1);
    if (isEmpty(part)) continue;
    if (part.kind === "text" && last?.kind === "text") joined[joined.length - 1] = text(last.text + part.text);
    else joined.push(part);
  }
  const [only] = joined;
  return only === undefined ? EMPTY : joined.length === 1 ? only : { kind: "sequence", parts: joined };
}

/** Any of the options. */
export function choice(...options: readonly Expression[]): Expression {
  const flat = options.flatMap((option) => (option.kind === "choice" ? option.options : [option]));
  const [only] = flat;
  return only !== undefined && flat.length === 1 ? only : { kind: "choice", options: flat };
}

/** The part `min` to `max` times; `max` may be infinite. */
export function repeat(part: Expression, min: number, max: number): Expression {
  if (max < min) return NOTHING;
  if (max === 0 || isEmpty(part)) return EMPTY;
  if (isNothing(part)) return min === 0 ? EMPTY : NOTHING;
  return min === 1 && max === 1 ? part : { kind: "repeat", part, min, max };
}

/** The part, or nothing of it. */
export const maybe = (part: Expression): Expression => repeat(part, 0, 1);

export const isNothing = (expression: Expression): boolean =>
  expression.kind === "choice" && expression.options.length === 0;

const isEmpty = (expression: Expression): boolean => expression.kind === "text" && expression.text === "";
