import { type CharacterSet, characterSet, charactersOf, complement, type PointRange } from "../character-set.ts";

const DIGITS = characterSet([[0x30, 0x39]]);
const WORD = characterSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const SPACE = charactersOf(
  "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
);

/** Characters that a letter behind a backslash stands for. Source: ECMA-262, CharacterClassEscape. */
export const CLASS_ESCAPES: ReadonlyMap<string, CharacterSet> = new Map([
  ["d", DIGITS],
  ["D", complement(DIGITS)],
  ["w", WORD],
  ["W", complement(WORD)],
  ["s", SPACE],
  ["S", complement(SPACE)],
]);

/** The character that a letter behind a backslash stands for. */
export const CONTROL_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["f", "\f"],
  ["0", "\0"],
]);

/** What a dot stands for. */
export const DOT: CharacterSet = complement(charactersOf("\n\r\u2028\u2029"));

/** ASCII of a Unicode property, such as `L` or `Script=Greek`; undefined where there is none of this name. */
export function propertySet(name: string, negated: boolean): CharacterSet | undefined {
  if (!/^[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?$/.test(name)) return undefined;
  let property: RegExp;
  try {
    property = new RegExp(`^\\${negated ? "P" : "p"}{${name}}$`, "u");
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const ranges: PointRange[] = [];
  for (let point = 0; point < 0x80; point++)
    if (property.test(String.fromCodePoint(point))) ranges.push([point, point]);
  return characterSet(ranges, true);
}
