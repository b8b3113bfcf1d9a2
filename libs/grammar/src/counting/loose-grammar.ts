import { assert } from "@drover/core";
import { choice, type Expression, type Rules, repeat, sequence } from "../expression.ts";
import { parseNotation } from "../notation/parse-notation.ts";
import { writeGrammar } from "../write-grammar.ts";

/** XGrammar makes a mask ahead of time for each place, and a part that may come n times has n of them: above this it is not told how often. */
const COUNTED_MAX = 16;

/** A grammar without its long counts, and its rules with them; whether the two differ. */
export type CountedGrammar = Readonly<{ loose: string; exact: Rules; isLoose: boolean }>;

/** Takes the long counts out of a grammar that this library has written. */
export function countedGrammar(grammar: string): CountedGrammar {
  const exact = parseNotation(grammar, "grammar");
  let isLoose = false;
  const loosened = (expression: Expression): Expression => {
    switch (expression.kind) {
      case "text":
      case "characters":
      case "rule":
        return expression;
      case "sequence":
        return sequence(...expression.parts.map(loosened));
      case "choice":
        return choice(...expression.options.map(loosened));
      case "repeat": {
        const { min, max } = expression;
        const part = loosened(expression.part);
        const isLong = min > COUNTED_MAX || (max > COUNTED_MAX && max !== Number.POSITIVE_INFINITY);
        isLoose ||= isLong;
        return isLong ? repeat(part, min > 0 ? 1 : 0, Number.POSITIVE_INFINITY) : repeat(part, min, max);
      }
    }
  };
  const rules = new Map([...exact].map(([name, body]) => [name, loosened(body)]));
  if (!isLoose) return { loose: grammar, exact, isLoose };
  const root = rules.get("root");
  assert(root !== undefined, "a grammar has a root");
  rules.delete("root");
  const loose = writeGrammar(root, rules);
  assert(loose !== undefined, "a grammar that takes more takes something");
  return { loose, exact, isLoose };
}
