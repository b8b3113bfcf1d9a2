import { assert, at } from "@drover/core";
import type { Budget } from "../budget.ts";
import type { CharacterSet } from "../character-set.ts";
import type { Regex } from "../regex/regex.ts";
import type { Machine } from "./machine.ts";

/** A state of Thompson's construction: it goes on by a character of a set, or by nothing. */
type State = { readonly free: number[]; set: CharacterSet | undefined; next: number };

/** The machine of a pattern without anchors. Errors: `invalid_argument` for one that is too large. */
export function regexMachine(regex: Regex, budget: Budget, place: string): Machine {
  const states: State[] = [];
  const add = (): number => {
    budget.spend(1, place);
    return states.push({ free: [], set: undefined, next: -1 }) - 1;
  };
  const link = (from: number, to: number) => at(states, from).free.push(to);

  /** Adds what leads from `from` to the state that it returns. */
  const build = (part: Regex, from: number): number => {
    switch (part.kind) {
      case "set": {
        const to = add();
        const state = at(states, from);
        assert(state.set === undefined, "a state has one set");
        state.set = part.set;
        state.next = to;
        return to;
      }
      case "sequence":
        return part.parts.reduce((state, one) => build(one, state), from);
      case "choice": {
        const to = add();
        for (const option of part.options) {
          const begin = add();
          link(from, begin);
          link(build(option, begin), to);
        }
        return to;
      }
      case "repeat":
        return repeated(part.part, part.min, part.max, from);
      case "start":
      case "end":
        assert(false, "anchors are resolved before a pattern becomes a machine");
    }
  };
  const repeated = (part: Regex, min: number, max: number, from: number): number => {
    let state = from;
    const fresh = (before: number) => {
      const begin = add();
      link(before, begin);
      return begin;
    };
    for (let i = 0; i < min; i++) state = build(part, fresh(state));
    const to = add();
    if (max === Number.POSITIVE_INFINITY) {
      const loop = fresh(state);
      link(loop, to);
      link(build(part, fresh(loop)), loop);
      return to;
    }
    for (let i = min; i < max; i++) {
      link(state, to);
      state = build(part, fresh(state));
    }
    link(state, to);
    return to;
  };
  const first = add();
  const last = build(regex, first);
  return simulated(states, first, last, budget, place);
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
