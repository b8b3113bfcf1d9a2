import { assert, at } from "@drover/core";
import type { Budget } from "../budget.ts";
import type { CharacterSet } from "../character-set.ts";
import type { Regex } from "../regex/regex.ts";
import type { Machine } from "./machine.ts";

/** A state of Thompson's construction: it goes on by a character of a set, or by nothing. */
type State = { readonly free: number[]; set: CharacterSet | undefined; next: number };

/** The machine of a pattern without anchors. Errors: `invalid_argument` for one that is too large. */
export function regexMachine(regex: Regex, budget: Budget, place: string): Machine {
  const graph = new StateGraph(budget, place);
  const first = graph.add();
  const last = graph.build(regex, first);
  return simulated(graph.states, first, last, budget, place);
}

/** Thompson's construction: each part of a pattern leads from one state to another. */
class StateGraph {
  readonly states: State[] = [];
  readonly #budget: Budget;
  readonly #place: string;

  constructor(budget: Budget, place: string) {
    this.#budget = budget;
    this.#place = place;
  }

  add(): number {
    this.#budget.spend(1, this.#place);
    return this.states.push({ free: [], set: undefined, next: -1 }) - 1;
  }

  /** Adds what leads from `from` to the state that it returns. */
  build(part: Regex, from: number): number {
    switch (part.kind) {
      case "set": {
        const to = this.add();
        const state = at(this.states, from);
        assert(state.set === undefined, "a state has one set");
        state.set = part.set;
        state.next = to;
        return to;
      }
      case "sequence":
        return part.parts.reduce((state, one) => this.build(one, state), from);
      case "choice": {
        const to = this.add();
        for (const option of part.options) this.#link(this.build(option, this.#behind(from)), to);
        return to;
      }
      case "repeat":
        return this.#repeat(part.part, part.min, part.max, from);
      case "start":
      case "end":
        assert(false, "anchors are resolved before a pattern becomes a machine");
    }
  }

  #repeat(part: Regex, min: number, max: number, from: number): number {
    let state = from;
    for (let i = 0; i < min; i++) state = this.build(part, this.#behind(state));
    const to = this.add();
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#behind(state);
      this.#link(loop, to);
      this.#link(this.build(part, this.#behind(loop)), loop);
      return to;
    }
    for (let i = min; i < max; i++) {
      this.#link(state, to);
      state = this.build(part, this.#behind(state));
    }
    this.#link(state, to);
    return to;
  }

  #link(from: number, to: number): void {
    at(this.states, from).free.push(to);
  }

  /** A new state that is reached by nothing. */
  #behind(from: number): number {
    const begin = this.add();
    this.#link(from, begin);
    return begin;
  }
}

/** All states at once, by their numbers. */
function simulated(states: readonly State[], first: number, last: number, budget: Budget, place: string): Machine {
  const closed = (from: readonly number[]): string => {
    const reached = new Set(from);
    for (const id of reached) {
      budget.spend(1, place);
      for (const next of at(states, id).free) reached.add(next);
    }
    return [...reached]
      .filter((id) => id === last || at(states, id).set !== undefined)
      .sort((a, b) => a - b)
      .join(",");
  };
  const numbers = (state: string): number[] => (state === "" ? [] : state.split(",").map(Number));
  const boundaries = new Set(states.flatMap(({ set }) => set?.ranges.flatMap(([from, to]) => [from, to + 1]) ?? []));
  return {
    start: closed([first]),
    boundaries,
    step: (state, point) => {
      const next = numbers(state).flatMap((id) => {
        budget.spend(1, place);
        const { set, next: to } = at(states, id);
        return set?.ranges.some(([from, until]) => from <= point && point <= until) ? [to] : [];
      });
      return next.length === 0 ? undefined : closed(next);
    },
    accepts: (state) => numbers(state).includes(last),
  };
}
