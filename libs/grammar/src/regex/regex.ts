import { ANY_CHARACTER, type CharacterSet } from "../character-set.ts";

/** A regular expression, read. `start` and `end` are its anchors. */
export type Regex =
  | Readonly<{ kind: "set"; set: CharacterSet }>
  | Readonly<{ kind: "sequence"; parts: readonly Regex[] }>
  | Readonly<{ kind: "choice"; options: readonly Regex[] }>
  | Readonly<{ kind: "repeat"; part: Regex; min: number; max: number }>
  | Readonly<{ kind: "start" | "end" }>;

/** Any text. */
export const ANYTHING: Regex = {
  kind: "repeat",
  part: { kind: "set", set: ANY_CHARACTER },
  min: 0,
  max: Number.POSITIVE_INFINITY,
};

/** Whether an anchor is anywhere in it. */
export function hasAnchor(regex: Regex): boolean {
  switch (regex.kind) {
    case "start":
    case "end":
      return true;
    case "set":
      return false;
    case "sequence":
      return regex.parts.some(hasAnchor);
    case "choice":
      return regex.options.some(hasAnchor);
    case "repeat":
      return hasAnchor(regex.part);
  }
}
