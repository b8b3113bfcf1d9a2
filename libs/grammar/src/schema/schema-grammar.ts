import { constraintFault } from "../constraint-fault.ts";
import { GRAMMAR_CHARACTERS_MAX } from "../limits.ts";
import { writeGrammar } from "../write-grammar.ts";
import { ValueGrammar } from "./value-grammar.ts";

/**
 * The grammar of a JSON Schema's values, in which every keyword is enforced. Where JSON Schema takes more than is written, what is written
 * matches: members in order, one spelling of each string, numbers that a double tells apart. Errors: `invalid_argument`, naming the place
 * in the schema, for what cannot be enforced, and for schemas that nothing matches.
 */
export function schemaGrammar(schema: unknown, field: string): string {
  const values = new ValueGrammar(schema, field);
  const root = values.of([values.root]);
  const written = writeGrammar(root, values.rules.rules);
  if (written === undefined) throw constraintFault(field, "is a schema that no value matches");
  if (written.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return written;
}
