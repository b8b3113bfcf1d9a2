import {
  ANY_CHARACTER,
  type CharacterSet,
  characterSet,
  charactersOf,
  intersection,
  without,
} from "../character-set.ts";
import { characters, choice, type Expression, maybe, repeat, rule, sequence, text } from "../expression.ts";
import { NEVER_WRITTEN } from "../write-grammar.ts";

/** Characters that JSON writes by a letter behind a backslash. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["\b", "b"],
  ["\f", "f"],
  ["\n", "n"],
  ["\r", "r"],
  ["\t", "t"],
]);

/** Characters of a string that stand for themselves; other control characters are not written at all. */
const PLAIN: CharacterSet = without(
  ANY_CHARACTER,
  characterSet([
    [0, 0x1f],
    [0x22, 0x22],
    [0x5c, 0x5c],
    [0xd800, 0xdfff],
  ]),
);

/** White space that a comma or a colon may be followed by: no other is written. */
const SPACE = maybe(text(" "));
export const COMMA = sequence(text(","), SPACE);
export const COLON = sequence(text(":"), SPACE);

/** One character of the set as a JSON string has it: each has one spelling, so that texts are equal where values are. */
export function jsonCharacter(set: CharacterSet): Expression {
  const plain = characters(intersection(set, PLAIN));
  const letters = [...ESCAPES].filter(([character]) => intersection(set, charactersOf(character)).ranges.length > 0);
  if (letters.length === 0) return plain;
  const escapes = characters(charactersOf(letters.map(([, letter]) => letter).join("")));
  return choice(plain, sequence(text("\\"), escapes));
}

/** What stands between a string's quotes, in quotes. */
export const quoted = (inner: Expression): Expression => sequence(text('"'), inner, text('"'));

/** Any string of so many characters. */
export const stringOfLength = (min: number, max: number): Expression => quoted(repeat(ANY_JSON_CHARACTER, min, max));

const ANY_JSON_CHARACTER = jsonCharacter(ANY_CHARACTER);

/** The string itself. What XGrammar must not see as it is comes as an escape. */
export function jsonString(value: string): string {
  const written = JSON.stringify(value);
  return Array.from(written, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return NEVER_WRITTEN.includes(point) ? `\\u${point.toString(16)}` : character;
  }).join("");
}

/** What a notation calls the values that have names. All else JSON and Python write alike. */
export type Words = Readonly<{ null: string; true: string; false: string }>;

export const JSON_WORDS: Words = { null: "null", true: "true", false: "false" };
export const PYTHON_WORDS: Words = { null: "None", true: "True", false: "False" };

/** A value as it is, members in their order. */
export function literal(value: unknown, words: Words): Expression {
  if (typeof value === "string") return text(jsonString(value));
  if (value === null || typeof value === "boolean") return text(words[`${value}`]);
  const inner = (one: unknown) => literal(one, words);
  if (Array.isArray(value)) return list("[", "]", value.map(inner));
  if (typeof value === "object")
    return list(
      "{",
      "}",
      Object.entries(value).map(([name, member]) => sequence(text(jsonString(name)), COLON, inner(member))),
    );
  return text(JSON.stringify(value));
}

/** The parts between brackets, with commas between them. */
export function list(open: string, close: string, parts: readonly Expression[]): Expression {
  const joined = parts.flatMap((part, i) => (i === 0 ? [part] : [COMMA, part]));
  return sequence(text(open), ...joined, text(close));
}

const DIGIT = characters(characterSet([[0x30, 0x39]]));
const FIRST_DIGIT = characters(characterSet([[0x31, 0x39]]));

/** Digits of whole numbers: a double holds all such numbers exactly. */
export const DIGITS_MAX = 15;

/** Whole numbers that a double holds exactly. */
export const INTEGER: Expression = sequence(
  maybe(text("-")),
  choice(text("0"), sequence(FIRST_DIGIT, repeat(DIGIT, 0, DIGITS_MAX - 1))),
);

/** Numbers, in which no reader sees an infinite one. */
export const NUMBER: Expression = sequence(
  INTEGER,
  maybe(sequence(text("."), repeat(DIGIT, 1, DIGITS_MAX))),
  maybe(sequence(characters(charactersOf("eE")), maybe(characters(charactersOf("+-"))), repeat(DIGIT, 1, 2))),
);

/** The name of the rule for any value; `anyRules` has it. */
export const ANY_VALUE = rule("value");

/** Rules for any value. */
export const anyRules = (words: Words): ReadonlyMap<string, Expression> =>
  new Map([
    [
      "value",
      choice(
        rule("object"),
        rule("array"),
        rule("string"),
        NUMBER,
        text(words.true),
        text(words.false),
        text(words.null),
      ),
    ],
    ["string", stringOfLength(0, Number.POSITIVE_INFINITY)],
    [
      "array",
      sequence(
        text("["),
        maybe(sequence(rule("value"), repeat(sequence(COMMA, rule("value")), 0, Number.POSITIVE_INFINITY))),
        text("]"),
      ),
    ],
    [
      "object",
      sequence(
        text("{"),
        maybe(sequence(rule("member"), repeat(sequence(COMMA, rule("member")), 0, Number.POSITIVE_INFINITY))),
        text("}"),
      ),
    ],
    ["member", sequence(rule("string"), COLON, rule("value"))],
  ]);
