import { at } from "@drover/core";
import type { CharacterSet } from "../character-set.ts";
import type { Expression, Rules } from "../expression.ts";
import { parseNotation } from "../notation/parse-notation.ts";

/** A random text of a grammar, as it is written for a worker. `random`: numbers from 0 to 1. Past `lengthMax` it comes to an end as soon as it can. */
export function sampleText(grammar: string, random: () => number, lengthMax: number): string {
  const rules = parseNotation(grammar, "grammar");
  const depths = shortestDepths(rules);
  let length = 0;
  const write = (expression: Expression): string => {
    switch (expression.kind) {
      case "text":
        length += expression.text.length;
        return expression.text;
      case "characters":
        length += 1;
        return pick(expression.set, random);
      case "rule":
        return write(rules.get(expression.name) ?? expression);
      case "sequence":
        return expression.parts.map(write).join("");
      case "choice": {
        const options = [...expression.options].sort((a, b) => depthOf(a, depths) - depthOf(b, depths));
        return write(at(options, length > lengthMax ? 0 : Math.floor(random() * options.length)));
      }
      case "repeat": {
        let written = "";
        for (let i = 0; i < expression.min; i++) written += write(expression.part);
        for (let i = expression.min; i < expression.max && length < lengthMax && random() < 0.6; i++)
          written += write(expression.part);
        return written;
      }
    }
  };
  return write({ kind: "rule", name: "root" });
}

function pick({ ranges }: CharacterSet, random: () => number): string {
  const some = ranges.flatMap(([first, last]) => [first, Math.min(last, first + Math.floor(random() * 100)), last]);
  const points = some.filter((point) => (point < 0xd800 || point > 0xdfff) && point !== 0x2028 && point !== 0x2029);
  return String.fromCodePoint(at(points, Math.floor(random() * points.length)));
}

/** How deep the shallowest text of each rule is. */
function shortestDepths(rules: Rules): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, body] of rules) {
      const depth = 1 + depthOf(body, depths);
      if (depth >= (depths.get(name) ?? Number.POSITIVE_INFINITY)) continue;
      depths.set(name, depth);
      changed = true;
    }
  }
  return depths;
}

function depthOf(expression: Expression, depths: ReadonlyMap<string, number>): number {
  switch (expression.kind) {
    case "text":
    case "characters":
      return 0;
    case "rule":
      return depths.get(expression.name) ?? Number.POSITIVE_INFINITY;
    case "sequence":
      return Math.max(0, ...expression.parts.map((part) => depthOf(part, depths)));
    case "choice":
      return Math.min(...expression.options.map((option) => depthOf(option, depths)));
    case "repeat":
      return expression.min === 0 ? 0 : depthOf(expression.part, depths);
  }
}
