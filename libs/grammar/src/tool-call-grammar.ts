import { constraintFault } from "./constraint-fault.ts";
import { choice, type Expression, repeat, sequence, text } from "./expression.ts";
import { COLON, COMMA, jsonString } from "./json/json-text.ts";
import { GRAMMAR_CHARACTERS_MAX } from "./limits.ts";
import { RuleBook } from "./rule-book.ts";
import { ValueGrammar } from "./schema/value-grammar.ts";
import { writeGrammar } from "./write-grammar.ts";

/** A function that may be called: its name, the schema of its arguments, and where that stands. */
export type CallableTool = Readonly<{ name: string; parameters: unknown; field: string }>;

/** Calls that one answer may have at most, where it may have several. */
const CALLS_MAX = 16;

/**
 * The grammar of an answer that calls: `{"name": ..., "parameters": {...}}`, as the model's own template asks for it, one after the other where
 * there may be several. Arguments match the tool's schema. Errors: `invalid_argument`, naming the place, for what cannot be enforced.
 */
export function toolCallGrammar(tools: readonly CallableTool[], isParallel: boolean, field: string): string {
  const rules = new RuleBook(new Map());
  const calls = tools.map(({ name, parameters, field: place }): Expression => {
    const values = new ValueGrammar(objectSchema(parameters), place);
    const argument = rules.take(values.rules, values.of([values.root]));
    const head = [text("{"), text('"name"'), COLON, text(jsonString(name)), COMMA, text('"parameters"'), COLON];
    const call = sequence(...head, argument, text("}"));
    if (writeGrammar(call, rules.rules) === undefined)
      throw constraintFault(place, "is a schema that no arguments match");
    return call;
  });
  const call = rules.add(choice(...calls));
  const more = repeat(sequence(text(";"), repeat(text(" "), 0, 1), call), 0, CALLS_MAX - 1);
  const written = writeGrammar(isParallel ? sequence(call, more) : call, rules.rules);
  if (written === undefined) throw constraintFault(field, "needs a tool to call");
  if (written.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return written;
}

/** Arguments are an object, whatever their schema says besides. */
const objectSchema = (parameters: unknown): unknown =>
  typeof parameters === "object" && parameters !== null && !("type" in parameters)
    ? { ...parameters, type: "object" }
    : (parameters ?? { type: "object" });
