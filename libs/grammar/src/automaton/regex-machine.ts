import { assert, at } from "@drover/core";
import type { Budget } from "../budget.ts";
import type { CharacterSet } from "../character-set.ts";
import type { Regex } from "../regex/regex.ts";
import type { Machine } from "./machine.ts";

/** A state of Thompson's construction: it goes on by a character of a set, or by nothing, which may take on a duty. */
type State = { readonly free: number[]; set: CharacterSet | undefined; next: number; duty: Duty | undefined };

/** What the rest of the text must match, or must not. */
type Duty = Readonly<{ machine: Machine; negated: boolean }>;

/** The machine of a pattern without anchors. Errors: `invalid_argument` for one that is too large. */
export function regexMachine(regex: Regex, budget: Budget, place: string): Machine {
  const graph = new StateGraph(budget, place);
  const first = graph.add();
  const last = graph.build(regex, first);
  return new Simulation(graph.states, first, last, budget, place);
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
    return this.states.push({ free: [], set: undefined, next: -1, duty: undefined }) - 1;
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
      case "look": {
        const machine = regexMachine(part.ahead, this.#budget, this.#place);
        const looking = this.#behind(from);
        at(this.states, looking).duty = { machine, negated: part.negated };
        return this.#behind(looking);
      }
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

/** One of the states that a text may have led to, and how far it is with each duty: by the duty's state of the pattern, that of its machine. */
type Thread = Readonly<{ id: number; duties: ReadonlyMap<string, Open> }>;
type Open = Readonly<{ duty: Duty; state: string }>;

/** All threads at once, by their numbers. */
class Simulation implements Machine {
  readonly start: string;
  readonly boundaries: ReadonlySet<number>;
  readonly #states: readonly State[];
  readonly #last: number;
  readonly #budget: Budget;
  readonly #place: string;
  readonly #threads: Thread[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(states: readonly State[], first: number, last: number, budget: Budget, place: string) {
    this.#states = states;
    this.#last = last;
    this.#budget = budget;
    this.#place = place;
    const sets = states.flatMap(({ set }) => set?.ranges.flatMap(([from, to]) => [from, to + 1]) ?? []);
    this.boundaries = new Set([...sets, ...states.flatMap(({ duty }) => [...(duty?.machine.boundaries ?? [])])]);
    this.start = this.#closed([this.#numberOf(first, new Map())]);
  }

  step(state: string, point: number): string | undefined {
    const next = numbersOf(state).flatMap((number) => {
      this.#budget.spend(1, this.#place);
      const { id, duties } = at(this.#threads, number);
      const { set, next: to } = at(this.#states, id);
      if (!set?.ranges.some(([from, until]) => from <= point && point <= until)) return [];
      const left = stepped(duties, point);
      return left === undefined ? [] : [this.#numberOf(to, left)];
    });
    const closed = this.#closed(next);
    return closed === "" ? undefined : closed;
  }

  accepts(state: string): boolean {
    return numbersOf(state).some((number) => {
      const { id, duties } = at(this.#threads, number);
      return id === this.#last && [...duties.values()].every((open) => isDone(open));
    });
  }

  /** With all that is reached by nothing. */
  #closed(from: readonly number[]): string {
    const reached = new Set(from);
    for (const number of reached) {
      this.#budget.spend(1, this.#place);
      const { id, duties } = at(this.#threads, number);
      const { free, duty } = at(this.#states, id);
      const taken = duty === undefined ? duties : withDuty(duties, id, duty);
      for (const next of free) reached.add(this.#numberOf(next, taken));
    }
    return [...reached]
      .filter((number) => this.#isPlace(at(this.#threads, number).id))
      .sort((a, b) => a - b)
      .join(",");
  }

  #isPlace(id: number): boolean {
    return id === this.#last || at(this.#states, id).set !== undefined;
  }

  #numberOf(id: number, duties: Thread["duties"]): number {
    const key = duties.size === 0 ? String(id) : JSON.stringify([id, ...[...duties.keys()].sort()]);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#threads.length);
    return this.#threads.push({ id, duties }) - 1;
  }
}

const numbersOf = (state: string): number[] => state.split(",").map(Number);

const isDone = ({ duty: { machine, negated }, state }: Open): boolean => machine.accepts(state) !== negated;

function withDuty(duties: Thread["duties"], id: number, duty: Duty): Thread["duties"] {
  const { start } = duty.machine;
  return new Map([...duties, [`${id}:${start}`, { duty, state: start }]]);
}

/** The duties a character later; undefined where one of them cannot be met any more. What can no longer match is a duty's end where it must not. */
function stepped(duties: Thread["duties"], point: number): Thread["duties"] | undefined {
  if (duties.size === 0) return duties;
  const left = new Map<string, Open>();
  for (const [key, { duty, state }] of duties) {
    const next = duty.machine.step(state, point);
    if (next === undefined && !duty.negated) return undefined;
    if (next !== undefined) left.set(`${key.slice(0, key.indexOf(":"))}:${next}`, { duty, state: next });
  }
  return left;
}
