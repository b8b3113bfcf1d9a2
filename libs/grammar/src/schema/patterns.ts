import { type Machine, takes } from "../automaton/machine.ts";
import { regexMachine } from "../automaton/regex-machine.ts";
import type { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { searched } from "../regex/anchored.ts";
import { parseRegex } from "../regex/parse-regex.ts";
import type { Regex } from "../regex/regex.ts";
import { FORMATS } from "./formats.ts";

/** The patterns of a schema, each read once. */
export class Patterns {
  readonly #budget: Budget;
  readonly #regexes = new Map<string, Regex>();
  readonly #machines = new Map<string, Machine>();

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Texts in which the pattern finds something. Errors: `invalid_argument`, naming the place. */
  regex(pattern: string, place: string): Regex {
    const known = this.#regexes.get(pattern);
    if (known !== undefined) return known;
    const made = searched(parseRegex(pattern, place), place);
    this.#regexes.set(pattern, made);
    return made;
  }

  machine(pattern: string, place: string): Machine {
    const known = this.#machines.get(pattern);
    if (known !== undefined) return known;
    const made = regexMachine(this.regex(pattern, place), this.#budget, place);
    this.#machines.set(pattern, made);
    return made;
  }

  finds(pattern: string, text: string, place: string): boolean {
    return takes(this.machine(pattern, place), text);
  }

  /** A format's pattern. Errors: `invalid_argument` for a format that cannot be enforced. */
  ofFormat(format: string, place: string): string {
    const pattern = FORMATS.get(format);
    if (pattern === undefined) throw constraintFault(place, "is a format that cannot be enforced");
    return pattern;
  }
}
