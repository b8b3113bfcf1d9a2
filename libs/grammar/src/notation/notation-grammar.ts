import { constraintFault } from "../constraint-fault.ts";
import { rule } from "../expression.ts";
import { GRAMMAR_CHARACTERS_MAX, RULES_MAX } from "../limits.ts";
import { withNames } from "../rule-book.ts";
import { writeGrammar } from "../write-grammar.ts";
import { parseNotation } from "./parse-notation.ts";

/** A client's grammar as a worker takes it. Errors: `invalid_argument`, naming the place and the line. */
export function notationGrammar(source: string, field: string): string {
  if (source.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  if (source.split("::=", RULES_MAX + 2).length > RULES_MAX + 1)
    throw constraintFault(field, `has more than ${RULES_MAX} rules`);
  const rules = parseNotation(source, field);
  // Names of a client's may be words that XGrammar reads otherwise.
  const names = new Map([...rules.keys()].map((name, i) => [name, `g${i}`]));
  const renamed = new Map([...rules].map(([name, body]) => [names.get(name) ?? name, withNames(body, names)]));
  const written = writeGrammar(withNames(rule("root"), names), renamed);
  if (written === undefined) throw constraintFault(field, "is a grammar that no text matches");
  if (written.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return written;
}
