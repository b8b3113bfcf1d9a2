import type { CharacterSet } from "../character-set.ts";
import { constraintFault } from "../constraint-fault.ts";
import { characters } from "../expression.ts";
import { GRAMMAR_CHARACTERS_MAX } from "../limits.ts";
import { writeGrammar } from "../write-grammar.ts";
import { matched } from "./anchored.ts";
import { parseRegex } from "./parse-regex.ts";
import { regexExpression } from "./regex-expression.ts";

/** The grammar of the texts that a pattern matches from end to end. Errors: `invalid_argument`, naming the place, for what cannot be enforced. */
export function regexGrammar(pattern: string, field: string): string {
  if (pattern.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  const expression = regexExpression(matched(parseRegex(pattern, field), field), (set: CharacterSet) =>
    characters(set),
  );
  return written(writeGrammar(expression, new Map()), field);
}

function written(grammar: string | undefined, field: string): string {
  if (grammar === undefined) throw constraintFault(field, "is a pattern that no text matches");
  if (grammar.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return grammar;
}
