import { at } from "@drover/core";
import type { Budget } from "../budget.ts";
import { type CharacterSet, characterSet, POINT_MAX, type PointRange } from "../character-set.ts";
import { constraintFault } from "../constraint-fault.ts";
import { STATES_MAX } from "../limits.ts";
import type { Machine } from "./machine.ts";

/** One state: where each set of characters leads, and whether a text may end here. */
type State = Readonly<{ edges: ReadonlyArray<readonly [set: CharacterSet, target: number]>; accepts: boolean }>;

/** What all of several machines take: states of which each leads to an end, the first one to begin with. No states: they take nothing together. */
export type Automaton = readonly State[];

/** Errors: `invalid_argument`, naming the place, where it needs too many states. */
export function intersect(machines: readonly Machine[], budget: Budget, place: string): Automaton {
  const points = representatives(machines);
  const numbers = new Map<string, number>();
  const tuples: (readonly string[])[] = [];
  const numberOf = (tuple: readonly string[]): number => {
    const key = tuple.join("|");
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (tuples.length >= STATES_MAX) throw constraintFault(place, "needs too many states to be enforced");
    numbers.set(key, tuples.length);
    return tuples.push(tuple) - 1;
  };
  numberOf(machines.map(({ start }) => start));
  const states: State[] = [];
  for (let id = 0; id < tuples.length; id++) {
    const tuple = at(tuples, id);
    const byTarget = new Map<number, PointRange[]>();
    for (const [first, last] of points) {
      budget.spend(1, place);
      const next = stepped(machines, tuple, first);
      if (next === undefined) continue;
      const target = numberOf(next);
      const ranges = byTarget.get(target) ?? [];
      byTarget.set(target, ranges);
      ranges.push([first, last]);
    }
    const edges = [...byTarget].map(([target, ranges]) => [characterSet(ranges), target] as const);
    states.push({ edges, accepts: machines.every((machine, i) => machine.accepts(at(tuple, i))) });
  }
  return trimmed(states);
}

/** The shortest text's length; undefined where there is no text. */
export function shortestLength(automaton: Automaton): number | undefined {
  const distance = new Map([[0, 0]]);
  for (const [id, length] of distance) {
    const state = automaton[id];
    if (state === undefined) return undefined;
    if (state.accepts) return length;
    for (const [, target] of state.edges) if (!distance.has(target)) distance.set(target, length + 1);
  }
  return undefined;
}

function stepped(machines: readonly Machine[], tuple: readonly string[], point: number): string[] | undefined {
  const next: string[] = [];
  for (const [i, machine] of machines.entries()) {
    const state = machine.step(at(tuple, i), point);
    if (state === undefined) return undefined;
    next.push(state);
  }
  return next;
}

/** Ranges in which no machine tells two characters apart. */
function representatives(machines: readonly Machine[]): PointRange[] {
  const begins = new Set([0, ...machines.flatMap(({ boundaries }) => [...boundaries])]);
  const sorted = [...begins].filter((point) => point <= POINT_MAX).sort((a, b) => a - b);
  return sorted.map((first, i) => [first, (sorted[i + 1] ?? POINT_MAX + 1) - 1]);
}

/** Without states from which no end is reached. */
function trimmed(states: readonly State[]): Automaton {
  const before = new Map<number, number[]>();
  for (const [id, { edges }] of states.entries())
    for (const [, target] of edges) before.set(target, [...(before.get(target) ?? []), id]);
  const alive = new Set(states.flatMap(({ accepts }, id) => (accepts ? [id] : [])));
  for (const id of alive) for (const source of before.get(id) ?? []) alive.add(source);
  if (!alive.has(0)) return [];
  const numbers = new Map([...alive].sort((a, b) => a - b).map((id, i) => [id, i]));
  return states
    .filter((_, id) => alive.has(id))
    .map(({ edges, accepts }) => ({
      accepts,
      edges: edges.flatMap(([set, target]) => {
        const number = numbers.get(target);
        return number === undefined ? [] : [[set, number] as const];
      }),
    }));
}
