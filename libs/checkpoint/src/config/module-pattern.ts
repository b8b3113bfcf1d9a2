import { assert, at } from "@drover/core";
import { type PatternNode, parsePattern } from "./pattern-node.ts";

/** Characters between which a pattern is somewhere: `isOf` reads one, `begins` and `ends` read none and hold at one end of the text alone. */
type State = Readonly<{
  isOf?: (character: string) => boolean;
  edge?: "begins" | "ends";
  next: number[];
}>;

/** States of one pattern: a rule of a checkpoint has some fifty. */
const STATES_MAX = 2000;

/** The state in which the pattern has been read to its end. */
const READ = 0;

/**
 * A Python regular expression as compressed-tensors applies it to modules' paths: from a path's beginning, and not to its end. It is followed in all ways
 * at once, state by state, since one from a file may take exponential time in an engine that tries them in turn. `fail` gets what is not known of it:
 * lookarounds, references back, named groups. Source: Python's `re.match`.
 */
export function modulePattern(pattern: string, fail: (what: string) => never): (path: string) => boolean {
  const states: State[] = [{ next: [] }];
  const first = compile(parsePattern(pattern, fail), READ, states, fail);
  return (path) => {
    let current = reached(states, [first], { isBeginning: true, isEnd: path === "" });
    for (let i = 0; i < path.length && !current.has(READ); i++) {
      const followed = [...current].flatMap((state) => {
        const { isOf, next } = at(states, state);
        return isOf?.(path.charAt(i)) === true ? next : [];
      });
      current = reached(states, followed, { isBeginning: false, isEnd: i + 1 === path.length });
    }
    return current.has(READ);
  };
}

/** Adds a node's states, which lead to `next`. Returns the first of them. */
function compile(node: PatternNode, next: number, states: State[], fail: (what: string) => never): number {
  const add = (state: State): number => {
    if (states.push(state) > STATES_MAX) fail("has a pattern that repeats too much");
    return states.length - 1;
  };
  switch (node.kind) {
    case "character":
      return add({ isOf: node.isOf, next: [next] });
    case "edge":
      return add({ edge: node.edge, next: [next] });
    case "sequence":
      return node.parts.reduceRight((after, part) => compile(part, after, states, fail), next);
    case "choice":
      return add({ next: node.options.map((option) => compile(option, next, states, fail)) });
    case "repeat": {
      let after = next;
      if (node.most === undefined) {
        const fork: State = { next: [next] };
        after = add(fork);
        fork.next.push(compile(node.part, after, states, fail));
      } else {
        for (let i = node.least; i < node.most; i++)
          after = add({ next: [next, compile(node.part, after, states, fail)] });
      }
      for (let i = 0; i < node.least; i++) after = compile(node.part, after, states, fail);
      return after;
    }
  }
}

/** The states that are reached from others without reading a character, themselves included. */
function reached(
  states: readonly State[],
  from: readonly number[],
  { isBeginning, isEnd }: Readonly<{ isBeginning: boolean; isEnd: boolean }>,
): ReadonlySet<number> {
  const found = new Set<number>();
  const open = [...from];
  while (open.length > 0) {
    const state = open.pop();
    assert(state !== undefined, "what is open is a state");
    if (found.has(state)) continue;
    found.add(state);
    const { isOf, edge, next } = at(states, state);
    if (isOf !== undefined || (edge === "begins" && !isBeginning) || (edge === "ends" && !isEnd)) continue;
    open.push(...next);
  }
  return found;
}
