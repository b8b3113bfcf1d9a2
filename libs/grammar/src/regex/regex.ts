import { ANY_CHARACTER, type CharacterSet } from "../character-set.ts";

/** A regular expression, read. `start` and `end` are its anchors; `look` takes nothing, and asks of what follows that it begins, or does not, with `ahead`. */
export type Regex =
  | Readonly<{ kind: "set"; set: CharacterSet }>
  | Readonly<{ kind: "sequence"; parts: readonly Regex[] }>
  | Readonly<{ kind: "choice"; options: readonly Regex[] }>
  | Readonly<{ kind: "repeat"; part: Regex; min: number; max: number }>
  | Readonly<{ kind: "look"; negated: boolean; ahead: Regex }>
  | Readonly<{ kind: "start" | "end" }>;

/** Any text. */
export const ANYTHING: Regex = {
  kind: "repeat",
  part: { kind: "set", set: ANY_CHARACTER },
  min: 0,
  max: Number.POSITIVE_INFINITY,
};

/** Whether an anchor is anywhere in it; those of what is looked ahead for are its own. */
export const hasAnchor = (regex: Regex): boolean =>
  isSomewhere(regex, ({ kind }) => kind === "start" || kind === "end");

/** Whether it looks ahead anywhere. */
export const hasLook = (regex: Regex): boolean => isSomewhere(regex, ({ kind }) => kind === "look");

/** Whether a pattern has characters by Unicode property: beyond ASCII it takes more than is known, so that what it does not take is not known. */
export const isPartial = (regex: Regex): boolean =>
  isSomewhere(
    regex,
    (part) => (part.kind === "set" && part.set.partial) || (part.kind === "look" && isPartial(part.ahead)),
  );

function isSomewhere(regex: Regex, is: (part: Regex) => boolean): boolean {
  if (is(regex)) return true;
  switch (regex.kind) {
    case "sequence":
      return regex.parts.some((part) => isSomewhere(part, is));
    case "choice":
      return regex.options.some((option) => isSomewhere(option, is));
    case "repeat":
      return isSomewhere(regex.part, is);
    case "set":
    case "look":
    case "start":
    case "end":
      return false;
  }
}
