import { intersect } from "./automaton/automaton.ts";
import { automatonExpression } from "./automaton/automaton-expression.ts";
import { complementMachine } from "./automaton/machine.ts";
import { regexMachine } from "./automaton/regex-machine.ts";
import { Budget } from "./budget.ts";
import { constraintFault } from "./constraint-fault.ts";
import { characters, choice, type Expression, repeat, sequence, text } from "./expression.ts";
import { COLON, COMMA, JSON_WORDS, jsonString, PYTHON_WORDS } from "./json/json-text.ts";
import { GRAMMAR_CHARACTERS_MAX, WORK_MAX } from "./limits.ts";
import { searched } from "./regex/anchored.ts";
import { parseRegex } from "./regex/parse-regex.ts";
import { RuleBook } from "./rule-book.ts";
import { isJsonObject } from "./schema/json-object.ts";
import { isKeyword } from "./schema/object-form.ts";
import { listOf } from "./schema/schema-node.ts";
import { ValueGrammar } from "./schema/value-grammar.ts";
import { writeGrammar } from "./write-grammar.ts";

/** A function that may be called: its name, the schema of its arguments, and where that stands. */
export type CallableTool = Readonly<{ name: string; parameters: unknown; field: string }>;

/** How calls are written: `{"name": "f", "parameters": {"a": true}}`, or `[f(a=True)]` with all calls in one list. */
export type CallStyle = "json" | "python";

/** What may be called, and how. */
export type Calls = Readonly<{ tools: readonly CallableTool[]; isParallel: boolean; style: CallStyle }>;

/** Calls that one answer may have at most, where it may have several. */
const CALLS_MAX = 16;

/** What a call begins with in any of the styles that are read as one. */
const CALL_BEGIN = '\\{[ \\t\\r\\n]*"|<function=|\\[[ \\t\\r\\n]*[A-Za-z_][\\w.]*[ \\t\\r\\n]*\\(|\\[[ \\t\\r\\n]*\\{';

/**
 * The grammar of an answer that calls, in the style of the model's own template, one call after the other where there may be several. Arguments match
 * the tool's schema. What Python cannot name, a function or a parameter, is called in JSON, with all others. Errors: `invalid_argument`, naming the place, for what cannot be enforced.
 */
export function toolCallGrammar(calls: Calls, field: string): string {
  const rules = new RuleBook(new Map());
  return written(callsOf(calls, rules), rules, field);
}

/**
 * The grammar of an answer that is free to call or not: a text in which no call begins, and then calls, or none. Errors: as `toolCallGrammar`.
 */
export function strictToolGrammar(calls: Calls, field: string): string {
  const rules = new RuleBook(new Map());
  const budget = new Budget(WORK_MAX);
  const begin = regexMachine(searched(parseRegex(CALL_BEGIN, field), field), budget, field);
  const plain = automatonExpression(intersect([complementMachine(begin)], budget, field), characters, rules);
  return written(sequence(plain, repeat(callsOf(calls, rules), 0, 1)), rules, field);
}

function callsOf({ tools, isParallel, style }: Calls, rules: RuleBook): Expression {
  const form = style === "python" && tools.every(isPythonic) ? PYTHON : JSON_OBJECT;
  const calls = tools.map((tool) => {
    const call = form.call(tool, rules);
    if (writeGrammar(call, rules.rules) === undefined)
      throw constraintFault(tool.field, "is a schema that no arguments match");
    return call;
  });
  const call = rules.add(choice(...calls));
  const more = repeat(sequence(form.between, call), 0, CALLS_MAX - 1);
  return sequence(text(form.open), isParallel ? sequence(call, more) : call, text(form.close));
}

type CallForm = Readonly<{
  open: string;
  close: string;
  between: Expression;
  call: (tool: CallableTool, rules: RuleBook) => Expression;
}>;

const JSON_OBJECT: CallForm = {
  open: "",
  close: "",
  between: sequence(text(";"), repeat(text(" "), 0, 1)),
  call: ({ name, parameters, field }, rules) => {
    const values = new ValueGrammar(objectSchema(parameters), field, JSON_WORDS);
    const argument = rules.take(values.rules, values.of([values.root]));
    const head = [text("{"), text('"name"'), COLON, text(jsonString(name)), COMMA, text('"parameters"'), COLON];
    return sequence(...head, argument, text("}"));
  },
};

const PYTHON: CallForm = {
  open: "[",
  close: "]",
  between: COMMA,
  call: ({ name, parameters, field }, rules) => {
    const values = new ValueGrammar(objectSchema(parameters), field, PYTHON_WORDS);
    return sequence(text(`${name}(`), rules.take(values.rules, values.keywordArguments()), text(")"));
  },
};

/** Whether a call in Python can name the function and all parameters that its schema names first. */
function isPythonic({ name, parameters }: CallableTool): boolean {
  if (!isKeyword(name)) return false;
  if (!isJsonObject(parameters)) return true;
  const { properties, required } = parameters;
  const names = [...(isJsonObject(properties) ? Object.keys(properties) : []), ...listOf(required).map(String)];
  return names.every(isKeyword);
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
