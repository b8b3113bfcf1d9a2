import type { Automaton } from "../automaton/automaton.ts";
import { automatonExpression } from "../automaton/automaton-expression.ts";
import { characters, type Expression, NOTHING, sequence, text } from "../expression.ts";
import { COLON, jsonCharacter, jsonString, list, literal, quoted, type Words } from "../json/json-text.ts";
import type { RuleBook } from "../rule-book.ts";
import { isJsonObject } from "./json-object.ts";

/** How an object's members are written. */
export type ObjectForm = Readonly<{
  open: string;
  close: string;
  /** Between a name and its value. */
  between: Expression;
  /** Of names that can be written; undefined where all can. */
  namePattern: string | undefined;
  name: (name: string) => Expression;
  names: (automaton: Automaton, rules: RuleBook) => Expression;
}>;

/** `{"name": value}`, in JSON and in Python. */
export const BRACES: ObjectForm = {
  open: "{",
  close: "}",
  between: COLON,
  namePattern: undefined,
  name: (name) => text(jsonString(name)),
  names: (automaton, rules) => quoted(automatonExpression(automaton, jsonCharacter, rules)),
};

const KEYWORD = /^[A-Za-z_][\w-]*$/;

/** Whether it can stand before a value in the calls that are read as Python's: these take a dash in a name. */
export const isKeyword = (name: string): boolean => KEYWORD.test(name);

/** `name=value`, between a call's brackets. Other names are not written. */
export const KEYWORDS: ObjectForm = {
  open: "",
  close: "",
  between: text("="),
  namePattern: KEYWORD.source,
  name: (name) => (isKeyword(name) ? text(name) : NOTHING),
  names: (automaton, rules) => automatonExpression(automaton, characters, rules),
};

/** An object as keyword arguments; nothing for what is none. */
export function keywordsOf(value: unknown, words: Words): Expression {
  if (!isJsonObject(value)) return NOTHING;
  const parts = Object.entries(value).map(([name, member]) =>
    sequence(KEYWORDS.name(name), KEYWORDS.between, literal(member, words)),
  );
  return list(KEYWORDS.open, KEYWORDS.close, parts);
}
