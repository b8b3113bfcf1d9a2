import { assert } from "@drover/core";
import type { CharacterSet } from "../character-set.ts";
import { choice, type Expression, repeat, sequence } from "../expression.ts";
import type { Regex } from "./regex.ts";

/** The texts of a pattern without anchors that does not look ahead, each of whose characters is written by `spell`. */
export function regexExpression(regex: Regex, spell: (set: CharacterSet) => Expression): Expression {
  switch (regex.kind) {
    case "set":
      return spell(regex.set);
    case "sequence":
      return sequence(...regex.parts.map((part) => regexExpression(part, spell)));
    case "choice":
      return choice(...regex.options.map((option) => regexExpression(option, spell)));
    case "repeat":
      return repeat(regexExpression(regex.part, spell), regex.min, regex.max);
    case "look":
    case "start":
    case "end":
      assert(false, "only a machine looks ahead, and anchors are resolved before a pattern becomes an expression");
  }
}
