import { constraintFault } from "./constraint-fault.ts";
import { choice, rule } from "./expression.ts";
import { GRAMMAR_CHARACTERS_MAX } from "./limits.ts";
import { parseNotation } from "./notation/parse-notation.ts";
import { RuleBook } from "./rule-book.ts";
import { writeGrammar } from "./write-grammar.ts";

/** The grammar of what one of two takes, both written by this library. Errors: `invalid_argument`, naming the place, for one that is too large. */
export function eitherGrammar(one: string, other: string, field: string): string {
  const rules = new RuleBook(new Map());
  const options = [one, other].map((grammar) => {
    const book = new RuleBook(parseNotation(grammar, field));
    return rules.take(book, rule("root"));
  });
  const written = writeGrammar(choice(...options), rules.rules);
  if (written === undefined || written.length > GRAMMAR_CHARACTERS_MAX)
    throw constraintFault(field, "is too large to be enforced");
  return written;
}
