/** Points that all begin where a set of a machine begins or ends: between two of them no machine tells characters apart. */
type Boundaries = ReadonlySet<number>;

/**
 * Reads a text character by character, and says at each place whether it takes the text so far. A state is a text that names it; `undefined`
 * takes nothing any more.
 */
export interface Machine {
  readonly start: string;
  readonly boundaries: Boundaries;
  step(state: string, point: number): string | undefined;
  accepts(state: string): boolean;
}

/** Texts of so many characters. */
export function lengthMachine(min: number, max: number): Machine {
  const cap = max === Number.POSITIVE_INFINITY ? min : max + 1;
  return {
    start: "0",
    boundaries: new Set(),
    step: (state) => {
      const count = Number(state) + 1;
      if (count > max) return undefined;
      return String(Math.min(count, cap));
    },
    accepts: (state) => Number(state) >= min,
  };
}

/** Texts that are one of these. */
export function listMachine(texts: readonly string[]): Machine {
  const prefixes = new Set<string>();
  for (const text of texts)
    for (let at = 0, points = Array.from(text); at <= points.length; at++) prefixes.add(points.slice(0, at).join(""));
  const whole = new Set(texts);
  const points = texts.flatMap((text) => Array.from(text, (character) => character.codePointAt(0) ?? 0));
  return {
    start: "",
    boundaries: new Set(points.flatMap((point) => [point, point + 1])),
    step: (state, point) => {
      const next = state + String.fromCodePoint(point);
      return prefixes.has(next) ? next : undefined;
    },
    accepts: (state) => whole.has(state),
  };
}

/** All texts that the other does not take. */
export function complementMachine(machine: Machine): Machine {
  const DEAD = "dead";
  return {
    start: `+${machine.start}`,
    boundaries: machine.boundaries,
    step: (state, point) => {
      if (state === DEAD) return DEAD;
      const next = machine.step(state.slice(1), point);
      return next === undefined ? DEAD : `+${next}`;
    },
    accepts: (state) => state === DEAD || !machine.accepts(state.slice(1)),
  };
}

/** Whether a machine takes a text. */
export function takes(machine: Machine, text: string): boolean {
  let state: string | undefined = machine.start;
  for (const character of text) {
    state = machine.step(state, character.codePointAt(0) ?? 0);
    if (state === undefined) return false;
  }
  return machine.accepts(state);
}

/** Numbers, as digits behind a sign, that are multiples of a whole one. */
export function multipleMachine(divisor: number): Machine {
  return {
    start: "0",
    boundaries: new Set([0x2d, 0x2e, ...Array.from({ length: 11 }, (_, i) => 0x30 + i)]),
    step: (state, point) => {
      if (point === 0x2d) return state;
      if (point < 0x30 || point > 0x39) return undefined;
      return String((Number(state) * 10 + point - 0x30) % divisor);
    },
    accepts: (state) => state === "0",
  };
}
