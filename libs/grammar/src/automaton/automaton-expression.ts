import { at } from "@drover/core";
import type { CharacterSet } from "../character-set.ts";
import { choice, EMPTY, type Expression, NOTHING, rule, sequence } from "../expression.ts";
import type { RuleBook } from "../rule-book.ts";
import type { Automaton } from "./automaton.ts";

/** The automaton's texts, each of whose characters is written by `spell`: a rule for each state. */
export function automatonExpression(
  automaton: Automaton,
  spell: (set: CharacterSet) => Expression,
  rules: RuleBook,
): Expression {
  if (automaton.length === 0) return NOTHING;
  const names = automaton.map(() => rules.reserve());
  for (const [id, { edges, accepts }] of automaton.entries()) {
    const on = edges.map(([set, target]) => sequence(spell(set), rule(at(names, target))));
    rules.define(at(names, id), choice(...on, ...(accepts ? [EMPTY] : [])));
  }
  return rule(at(names, 0));
}
