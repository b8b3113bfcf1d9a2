import { constraintFault } from "./constraint-fault.ts";
import { choice, text } from "./expression.ts";
import { GRAMMAR_CHARACTERS_MAX } from "./limits.ts";
import { writeGrammar } from "./write-grammar.ts";

/** The grammar of one of these texts. Errors: `invalid_argument`, naming the place, where there is none, or one that cannot be written. */
export function choiceGrammar(choices: readonly string[], field: string): string {
  for (const [i, one] of choices.entries())
    if (!one.isWellFormed() || writeGrammar(text(one), new Map()) === undefined)
      throw constraintFault(`${field}[${i}]`, "has a character that cannot be written");
  const written = writeGrammar(choice(...choices.map(text)), new Map());
  if (written === undefined) throw constraintFault(field, "must have something to choose from");
  if (written.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return written;
}
