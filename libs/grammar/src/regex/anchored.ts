import { constraintFault } from "../constraint-fault.ts";
import { ANYTHING, hasAnchor, isPartial, type Regex } from "./regex.ts";

/**
 * The whole texts in which a pattern finds something, as an expression without anchors: where it has none at an end, anything may stand there.
 * Errors: `invalid_argument`, naming the place, for anchors in the middle.
 */
export const searched = (regex: Regex, place: string): Regex =>
  withEnds(withLooks(regex, false, place), true, true, place);

/** The texts that a pattern matches from end to end. Errors: as `searched`. */
export const matched = (regex: Regex, place: string): Regex =>
  withEnds(withLooks(regex, true, place), false, false, place);

/**
 * The pattern with what it looks ahead for as all of the text that must follow, or must not. Errors: `invalid_argument`, naming the place, for an
 * anchor within that stands in the middle, and for characters by Unicode property that must not follow, which are not all known.
 */
function withLooks(regex: Regex, isStart: boolean, place: string): Regex {
  switch (regex.kind) {
    case "choice":
      return { kind: "choice", options: regex.options.map((option) => withLooks(option, isStart, place)) };
    case "sequence": {
      let isAtStart = isStart;
      const parts = regex.parts.map((part) => {
        const seen = withLooks(part, isAtStart, place);
        isAtStart = part.kind === "start" || (isAtStart && part.kind === "look");
        return seen;
      });
      return { kind: "sequence", parts };
    }
    case "repeat":
      return { ...regex, part: withLooks(regex.part, false, place) };
    case "look": {
      if (!isStart && beginsAnchored(regex.ahead))
        throw constraintFault(place, "is a pattern with an anchor in the middle");
      const ahead = withEnds(withLooks(regex.ahead, isStart, place), false, true, place);
      if (regex.negated && isPartial(ahead))
        throw constraintFault(place, "cannot be enforced where characters by property must not follow");
      return { ...regex, ahead };
    }
    case "set":
    case "start":
    case "end":
      return regex;
  }
}

/** Whether an anchor of the text's start is in it. */
function beginsAnchored(regex: Regex): boolean {
  switch (regex.kind) {
    case "start":
      return true;
    case "sequence":
      return regex.parts.some(beginsAnchored);
    case "choice":
      return regex.options.some(beginsAnchored);
    case "repeat":
      return beginsAnchored(regex.part);
    case "look":
      return beginsAnchored(regex.ahead);
    case "set":
    case "end":
      return false;
  }
}

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
    case "look":
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
