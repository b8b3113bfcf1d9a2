import { intersect } from "../automaton/automaton.ts";
import { automatonExpression } from "../automaton/automaton-expression.ts";
import { regexMachine } from "../automaton/regex-machine.ts";
import { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { characters, type Expression } from "../expression.ts";
import { GRAMMAR_CHARACTERS_MAX, WORK_MAX } from "../limits.ts";
import { RuleBook } from "../rule-book.ts";
import { writeGrammar } from "../write-grammar.ts";
import { matched } from "./anchored.ts";
import { parseRegex } from "./parse-regex.ts";
import { hasLook, type Regex } from "./regex.ts";
import { regexExpression } from "./regex-expression.ts";

/** The grammar of the texts that a pattern matches from end to end. Errors: `invalid_argument`, naming the place, for what cannot be enforced. */
export function regexGrammar(pattern: string, field: string): string {
  if (pattern.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  const regex = matched(parseRegex(pattern, field), field);
  const rules = new RuleBook(new Map());
  const expression = hasLook(regex) ? lookingExpression(regex, rules, field) : regexExpression(regex, characters);
  return written(writeGrammar(expression, rules.rules), field);
}

function lookingExpression(regex: Regex, rules: RuleBook, field: string): Expression {
  const budget = new Budget(WORK_MAX);
  return automatonExpression(intersect([regexMachine(regex, budget, field)], budget, field), characters, rules);
}

function written(grammar: string | undefined, field: string): string {
  if (grammar === undefined) throw constraintFault(field, "is a pattern that no text matches");
  if (grammar.length > GRAMMAR_CHARACTERS_MAX) throw constraintFault(field, "is too large to be enforced");
  return grammar;
}
