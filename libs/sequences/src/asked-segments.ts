import type { StripeQuery } from "@drover/core";

/**
 * Of what a holder has of a sequence, by segment, what a query attends to: the segments that it names, or all before its end where it names none. Undefined: they
 * are not what the query expects, and an answer would be wrong.
 */
export function askedSegments<Held>(
  held: ReadonlyMap<number, Held> | undefined,
  { endSegment, segmentCount, segments }: StripeQuery,
): readonly Held[] | undefined {
  const names = segments.length > 0 ? segments : [...(held?.keys() ?? [])].filter((segment) => segment < endSegment);
  if (names.length === 0 || names.length !== segmentCount) return undefined;
  const found: Held[] = [];
  let last = -1;
  for (const segment of names) {
    const one = held?.get(segment);
    // One that is named twice would count twice.
    if (one === undefined || segment >= endSegment || (segments.length > 0 && segment <= last)) return undefined;
    last = segment;
    found.push(one);
  }
  return found;
}
