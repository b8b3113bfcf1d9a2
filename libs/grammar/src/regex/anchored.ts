import { constraintFault } from "../constraint-fault.ts";
import { ANYTHING, hasAnchor, type Regex } from "./regex.ts";

/**
 * The whole texts in which a pattern finds something, as an expression without anchors: where it has none at an end, anything may stand there.
 * Errors: `invalid_argument`, naming the place, for anchors in the middle.
 */
export const searched = (regex: Regex, place: string): Regex => withEnds(regex, true, true, place);

/** The texts that a pattern matches from end to end. Errors: as `searched`. */
export const matched = (regex: Regex, place: string): Regex => withEnds(regex, false, false, place);

function withEnds(regex: Regex, openStart: boolean, openEnd: boolean, place: string): Regex {
  switch (regex.kind) {
    case "choice":
      return { kind: "choice", options: regex.options.map((option) => withEnds(option, openStart, openEnd, place)) };
    case "sequence":
      return sequenceWithEnds(regex.parts, openStart, openEnd, place);
    case "start":
    case "end":
      return sequenceWithEnds([regex], openStart, openEnd, place);
    case "set":
    case "repeat":
      if (hasAnchor(regex)) throw constraintFault(place, "is a pattern with an anchor that is repeated");
      return opened([regex], openStart, openEnd);
  }
}

function sequenceWithEnds(parts: readonly Regex[], openStart: boolean, openEnd: boolean, place: string): Regex {
  const fromStart = parts[0]?.kind === "start";
  const toEnd = parts.at(-1)?.kind === "end";
  let inner = parts.slice(fromStart ? 1 : 0, toEnd ? -1 : parts.length);
  let [start, end] = [openStart && !fromStart, openEnd && !toEnd];
  const [first] = inner;
  // An anchor within a group that stands at an end is at that end.
  if (first !== undefined && inner.length === 1 && hasAnchor(first)) return withEnds(first, start, end, place);
  if (first !== undefined && hasAnchor(first)) {
    inner = [withEnds(first, start, false, place), ...inner.slice(1)];
    start = false;
  }
  const last = inner.at(-1);
  if (last !== undefined && hasAnchor(last)) {
    inner = [...inner.slice(0, -1), withEnds(last, false, end, place)];
    end = false;
  }
  if (inner.some(hasAnchor)) throw constraintFault(place, "is a pattern with an anchor in the middle");
  return opened(inner, start, end);
}

const opened = (parts: readonly Regex[], start: boolean, end: boolean): Regex => ({
  kind: "sequence",
  parts: [...(start ? [ANYTHING] : []), ...parts, ...(end ? [ANYTHING] : [])],
});
