import { intersect } from "./automaton/automaton.ts";
import { automatonExpression } from "./automaton/automaton-expression.ts";
import { complementMachine } from "./automaton/machine.ts";
import { regexMachine } from "./automaton/regex-machine.ts";
import { Budget } from "./budget.ts";
import { constraintFault } from "./constraint-fault.ts";
import { characters, choice, type Expression, repeat, sequence, text } from "./expression.ts";
import { COLON, COMMA, jsonString } from "./json/json-text.ts";
import { GRAMMAR_CHARACTERS_MAX, WORK_MAX } from "./limits.ts";
import { searched } from "./regex/anchored.ts";
import { parseRegex } from "./regex/parse-regex.ts";
import { RuleBook } from "./rule-book.ts";
import { ValueGrammar } from "./schema/value-grammar.ts";
import { writeGrammar } from "./write-grammar.ts";

/** A function that may be called: its name, the schema of its arguments, and where that stands. */
export type CallableTool = Readonly<{ name: string; parameters: unknown; field: string }>;

/** Calls that one answer may have at most, where it may have several. */
const CALLS_MAX = 16;

/** What a call begins with in any of the styles that are read as one. */
const CALL_BEGIN = '\\{[ \\t\\r\\n]*"|<function=|\\[[ \\t\\r\\n]*[A-Za-z_][\\w.]*[ \\t\\r\\n]*\\(|\\[[ \\t\\r\\n]*\\{';

/**
 * The grammar of an answer that calls: `{"name": ..., "parameters": {...}}`, as the model's own template asks for it, one after the other where
 * there may be several. Arguments match the tool's schema. Errors: `invalid_argument`, naming the place, for what cannot be enforced.
 */
export function toolCallGrammar(tools: readonly CallableTool[], isParallel: boolean, field: string): string {
  const rules = new RuleBook(new Map());
  return written(callsOf(tools, isParallel, rules), rules, field);
}

/**
 * The grammar of an answer that is free to call or not: a text in which no call begins, and then calls, or none. Errors: as `toolCallGrammar`.
 */
export function strictToolGrammar(tools: readonly CallableTool[], isParallel: boolean, field: string): string {
  const rules = new RuleBook(new Map());
  const budget = new Budget(WORK_MAX);
  const begin = regexMachine(searched(parseRegex(CALL_BEGIN, field), field), budget, field);
  const plain = automatonExpression(intersect([complementMachine(begin)], budget, field), characters, rules);
  return written(sequence(plain, repeat(callsOf(tools, isParallel, rules), 0, 1)), rules, field);
}

function callsOf(tools: readonly CallableTool[], isParallel: boolean, rules: RuleBook): Expression {
  const calls = tools.map(({ name, parameters, field }): Expression => {
    const values = new ValueGrammar(objectSchema(parameters), field);
    const argument = rules.take(values.rules, values.of([values.root]));
    const head = [text("{"), text('"name"'), COLON, text(jsonString(name)), COMMA, text('"parameters"'), COLON];
    const call = sequence(...head, argument, text("}"));
    if (writeGrammar(call, rules.rules) === undefined)
      throw constraintFault(field, "is a schema that no arguments match");
    return call;
  });
  const call = rules.add(choice(...calls));
  const more = repeat(sequence(text(";"), repeat(text(" "), 0, 1), call), 0, CALLS_MAX - 1);
  return isParallel ? sequence(call, more) : call;
}

function written(calls: Expression, rules: RuleBook, field: string): string {
  const grammar = writeGrammar(calls, rules.rules);
  if (grammar === undefined) throw constraintFault(field, "needs a tool to call");
  if (grammar.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return grammar;
}

/** Arguments are an object, whatever their schema says besides. */
const objectSchema = (parameters: unknown): unknown =>
  typeof parameters === "object" && parameters !== null && !("type" in parameters)
    ? { ...parameters, type: "object" }
    : (parameters ?? { type: "object" });
