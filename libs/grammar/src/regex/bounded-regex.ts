import type { Regex } from "./regex.ts";

/**
 * The texts of a pattern without looks ahead that have so many characters, where one part of it alone may be of any length: then that part is bounded. Undefined for
 * other patterns.
 */
export function boundedRegex(regex: Regex, min: number, max: number): Regex | undefined {
  const parts = flat(regex);
  const open = parts.filter((part) => lengthOf(part) === undefined);
  const [only] = open;
  if (only?.kind !== "repeat" || open.length > 1 || lengthOf(only.part) !== 1) return undefined;
  if (only.max !== Number.POSITIVE_INFINITY) return undefined;
  const fixed = parts.reduce((sum, part) => sum + (lengthOf(part) ?? 0), 0);
  const bounds = { min: Math.max(only.min, min - fixed), max: max - fixed };
  if (bounds.max < bounds.min) return undefined;
  return { kind: "sequence", parts: parts.map((part) => (part === only ? { ...only, ...bounds } : part)) };
}

const flat = (regex: Regex): readonly Regex[] => (regex.kind === "sequence" ? regex.parts.flatMap(flat) : [regex]);

/** Characters of every text of it; undefined where they differ. */
function lengthOf(regex: Regex): number | undefined {
  const [min, max] = lengthsOf(regex);
  return min === max ? min : undefined;
}

/** Between how many characters its texts have, of a pattern that looks ahead for nothing. */
export function lengthsOf(regex: Regex): readonly [min: number, max: number] {
  switch (regex.kind) {
    case "set":
      return [1, 1];
    case "sequence": {
      const lengths = regex.parts.map(lengthsOf);
      return [lengths.reduce((sum, [min]) => sum + min, 0), lengths.reduce((sum, [, max]) => sum + max, 0)];
    }
    case "choice": {
      const lengths = regex.options.map(lengthsOf);
      return [Math.min(...lengths.map(([min]) => min)), Math.max(...lengths.map(([, max]) => max))];
    }
    case "repeat": {
      const [min, max] = lengthsOf(regex.part);
      return [min * regex.min, max === 0 || regex.max === 0 ? 0 : max * regex.max];
    }
    case "look":
    case "start":
    case "end":
      return [0, 0];
  }
}
