import { assert } from "@drover/core";
import { choice, type Expression, repeat, rule, sequence } from "./expression.ts";

/** Rules that are made while a grammar is, each with a name of its own. */
export class RuleBook {
  readonly #rules: Map<string, Expression>;

  constructor(rules: ReadonlyMap<string, Expression>) {
    this.#rules = new Map(rules);
  }

  get rules(): ReadonlyMap<string, Expression> {
    return this.#rules;
  }

  /** A name for what is defined later. */
  reserve(): string {
    const name = `r${this.#rules.size}`;
    this.#rules.set(name, rule(name));
    return name;
  }

  define(name: string, body: Expression): void {
    this.#rules.set(name, body);
  }

  /** Takes another book's rules in, under names of its own. Returns the expression by those. */
  take(other: RuleBook, expression: Expression): Expression {
    const names = new Map([...other.rules.keys()].map((name) => [name, this.reserve()]));
    for (const [name, body] of other.rules) this.define(renamed(name, names), withNames(body, names));
    return withNames(expression, names);
  }

  /** A rule for this expression. */
  add(body: Expression): Expression {
    if (body.kind === "text" || body.kind === "rule" || body.kind === "characters") return body;
    const name = this.reserve();
    this.define(name, body);
    return rule(name);
  }
}

function renamed(name: string, names: ReadonlyMap<string, string>): string {
  const found = names.get(name);
  assert(found !== undefined, "every rule that is used has a name");
  return found;
}

/** The expression with its rules by other names. */
export function withNames(expression: Expression, names: ReadonlyMap<string, string>): Expression {
  switch (expression.kind) {
    case "text":
    case "characters":
      return expression;
    case "rule":
      return rule(renamed(expression.name, names));
    case "sequence":
      return sequence(...expression.parts.map((part) => withNames(part, names)));
    case "choice":
      return choice(...expression.options.map((option) => withNames(option, names)));
    case "repeat":
      return repeat(withNames(expression.part, names), expression.min, expression.max);
  }
}
