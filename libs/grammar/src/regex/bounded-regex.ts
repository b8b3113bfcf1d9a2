import type { Regex } from "./regex.ts";

/**
 * The texts of a pattern that have so many characters, where one part of it alone may be of any length: then that part is bounded. Undefined for
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
  switch (regex.kind) {
    case "set":
      return 1;
    case "sequence":
      return regex.parts.reduce<number | undefined>((sum, part) => {
        const length = lengthOf(part);
        return sum === undefined || length === undefined ? undefined : sum + length;
      }, 0);
    case "choice": {
      const [first, ...others] = regex.options.map(lengthOf);
      return others.every((other) => other === first) ? first : undefined;
    }
    case "repeat": {
      const length = lengthOf(regex.part);
      return regex.min === regex.max && length !== undefined ? regex.min * length : undefined;
    }
    case "start":
    case "end":
      return 0;
  }
}
