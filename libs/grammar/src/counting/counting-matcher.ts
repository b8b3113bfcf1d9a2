import { assert, at } from "@drover/core";
import type { Expression, Rules } from "../expression.ts";

/** What is still to come: an expression, and what follows it; none: the end. Equal ones are one. */
type Rest = Readonly<{ id: number; expression: Expression; next: Rest | undefined }>;

/** Where a text stands in a grammar: everything that may come next. */
export type MatchState = Readonly<{
  leaves: readonly Rest[];
  /** The text may end here. */
  accepts: boolean;
  /** States behind each next character, as they have been asked for. */
  known: Map<number, MatchState | undefined>;
}>;

/** States that a matcher remembers; then it forgets all, and makes them again. */
const STATES_KNOWN_MAX = 50_000;

/** Follows a text through a grammar character by character, counts and all. Takes no time for what no text reaches. */
export class CountingMatcher {
  readonly #rules: Rules;
  readonly #ids = new WeakMap<Expression, number>();
  readonly #counted = new Map<string, Expression>();
  readonly #rests = new Map<string, Rest>();
  readonly #states = new Map<string, MatchState>();
  readonly start: MatchState;
  #count = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.start = this.#stateOf([this.#rest({ kind: "rule", name: "root" }, undefined)]);
  }

  /** Undefined where the grammar takes no such text. */
  step(state: MatchState, point: number): MatchState | undefined {
    if (state.known.has(point)) return state.known.get(point);
    const next: (Rest | undefined)[] = [];
    for (const { expression, next: behind } of state.leaves) {
      if (expression.kind === "characters") {
        if (expression.set.ranges.some(([first, last]) => first <= point && point <= last)) next.push(behind);
      } else if (expression.kind === "text" && expression.text.codePointAt(0) === point) {
        const text = expression.text.slice(point > 0xffff ? 2 : 1);
        next.push(text === "" ? behind : this.#rest(this.#text(text), behind));
      }
    }
    const made = next.length === 0 ? undefined : this.#stateOf(next);
    state.known.set(point, made);
    return made;
  }

  #stateOf(rests: readonly (Rest | undefined)[]): MatchState {
    const leaves = new Map<number, Rest>();
    const seen = new Set<number>();
    let accepts = false;
    const open = [...rests];
    while (open.length > 0) {
      const rest = open.pop();
      if (rest === undefined) {
        accepts = true;
        continue;
      }
      if (seen.has(rest.id)) continue;
      seen.add(rest.id);
      if (isLeaf(rest.expression)) leaves.set(rest.id, rest);
      else open.push(...this.#expanded(rest));
    }
    const key = `${accepts}:${[...leaves.keys()].sort((a, b) => a - b).join(",")}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= STATES_KNOWN_MAX) this.#states.clear();
    const made: MatchState = { leaves: [...leaves.values()], accepts, known: new Map() };
    this.#states.set(key, made);
    return made;
  }

  #expanded({ expression, next }: Rest): (Rest | undefined)[] {
    switch (expression.kind) {
      case "text":
        assert(expression.text === "", "a text that is not empty is a leaf");
        return [next];
      case "characters":
        return [];
      case "rule": {
        const body = this.#rules.get(expression.name);
        assert(body !== undefined, "a rule that is used is there");
        return [this.#rest(body, next)];
      }
      case "choice":
        return expression.options.map((option) => this.#rest(option, next));
      case "sequence":
        return [expression.parts.reduceRight<Rest | undefined>((behind, part) => this.#rest(part, behind), next)];
      case "repeat": {
        const { part, min, max } = expression;
        const more = max === 1 ? next : this.#rest(this.#repeat(part, Math.max(0, min - 1), max - 1), next);
        const again = this.#rest(part, more);
        return min === 0 ? [next, again] : [again];
      }
    }
  }

  #rest(expression: Expression, next: Rest | undefined): Rest {
    const key = `${this.#idOf(expression)}/${next === undefined ? "" : next.id}`;
    const known = this.#rests.get(key);
    if (known !== undefined) return known;
    if (this.#rests.size >= STATES_KNOWN_MAX) this.#rests.clear();
    const made = { id: this.#count++, expression, next };
    this.#rests.set(key, made);
    return made;
  }

  #text(text: string): Expression {
    return this.#remembered(`text ${text}`, () => ({ kind: "text", text }));
  }

  #repeat(part: Expression, min: number, max: number): Expression {
    return this.#remembered(`${this.#idOf(part)} ${min} ${max}`, () => ({ kind: "repeat", part, min, max }));
  }

  #remembered(key: string, make: () => Expression): Expression {
    const known = this.#counted.get(key);
    if (known !== undefined) return known;
    if (this.#counted.size >= STATES_KNOWN_MAX) this.#counted.clear();
    const made = make();
    this.#counted.set(key, made);
    return made;
  }

  #idOf(expression: Expression): number {
    const known = this.#ids.get(expression);
    if (known !== undefined) return known;
    const id = this.#count++;
    this.#ids.set(expression, id);
    return id;
  }
}

const isLeaf = (expression: Expression): boolean =>
  expression.kind === "characters" || (expression.kind === "text" && expression.text !== "");

/** Whether some character beyond ASCII may come next. */
export const mayLeaveAscii = ({ leaves }: MatchState): boolean =>
  leaves.some(({ expression }) =>
    expression.kind === "characters"
      ? expression.set.ranges.some(([, last]) => last > 0x7f)
      : expression.kind === "text" && (expression.text.codePointAt(0) ?? 0) > 0x7f,
  );

/** Whether characters that a JSON string has as they are may come next: all of them, none, or some, which is undefined. */
export function takesPlain({ leaves }: MatchState): boolean | undefined {
  let all = false;
  for (const { expression } of leaves) {
    if (expression.kind === "text") {
      if (
        isPlain(
          at(
            Array.from(expression.text, (c) => c.codePointAt(0) ?? 0),
            0,
          ),
        )
      )
        return undefined;
      continue;
    }
    if (expression.kind !== "characters") continue;
    const { ranges } = expression.set;
    const has = (point: number) => ranges.some(([first, last]) => first <= point && point <= last);
    if (
      has(0x20) &&
      has(0x21) &&
      ranges.some(([a, b]) => a <= 0x23 && b >= 0x5b) &&
      ranges.some(([a, b]) => a <= 0x5d && b >= 0xd7ff)
    )
      all = true;
    else if (
      ranges.some(([first, last]) => last >= 0x20 && !(first === last && !isPlain(first)) && !onlyEscapes(first, last))
    )
      return undefined;
  }
  return all;
}

/** A character that a JSON string has as it is. */
export const isPlain = (point: number): boolean => point >= 0x20 && point !== 0x22 && point !== 0x5c;

const onlyEscapes = (first: number, last: number): boolean => {
  for (let point = first; point <= last; point++) if (isPlain(point)) return false;
  return true;
};
