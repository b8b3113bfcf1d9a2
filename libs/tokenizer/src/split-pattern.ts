/** What the reference's regular expressions mean otherwise than JavaScript's: white space is White_Space, digits and dots are Unicode's. */
const ESCAPES: Readonly<Record<string, string>> = {
  s: "\\p{White_Space}",
  S: "\\P{White_Space}",
  d: "\\p{Nd}",
  D: "\\P{Nd}",
};

/** Escapes that mean the same in both. */
const SAME = /^[pPnrtfvux]$/;
const SYNTAX = /^[\^$\\.*+?()[\]{}|/]$/;

/**
 * A tokenizer's split pattern (Oniguruma's syntax) as a JavaScript expression; a sentence where it uses what JavaScript lacks or takes
 * for something else.
 */
export function splitPattern(source: string): RegExp | string {
  let translated = "";
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const character = source.charAt(at);
    const next = source.charAt(at + 1);
    if (character === "\\") {
      at += 1;
      const escaped = escapeOf(next, inClass);
      if (escaped === undefined) return `uses \\${next}`;
      translated += escaped;
    } else if (inClass) {
      if (character === "[" || (character === "&" && next === "&")) return "nests sets of characters";
      inClass = character !== "]";
      translated += character === "-" && next === "-" ? "\\-" : character;
    } else if (character === "^" || character === "$") return `uses ${character}`;
    else {
      inClass = character === "[";
      translated += character === "." ? "[^\\n]" : character;
      if (inClass && next === "^") {
        translated += next;
        at += 1;
      }
      if (inClass && source.charAt(at + 1) === "]") return "has a set that begins with ]";
    }
  }
  try {
    return new RegExp(translated, "gu");
  } catch (error) {
    return error instanceof Error
      ? `is no expression of JavaScript (${error.message})`
      : "is no expression of JavaScript";
  }
}

/** A literal string as a pattern. */
export function literalPattern(literal: string): RegExp {
  return new RegExp(literal.replaceAll(/[\^$\\.*+?()[\]{}|/]/g, "\\$&"), "gu");
}

function escapeOf(character: string, inClass: boolean): string | undefined {
  if (Object.hasOwn(ESCAPES, character)) return ESCAPES[character];
  if (SAME.test(character) || SYNTAX.test(character)) return `\\${character}`;
  if (character === "-") return inClass ? "\\-" : "-";
  // Other marks stand for themselves; letters and digits mean something that JavaScript has not, or has otherwise.
  return /^[A-Za-z0-9]?$/.test(character) ? undefined : character;
}
