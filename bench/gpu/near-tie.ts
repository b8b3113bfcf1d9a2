import type { Served } from "./served.ts";

/** By how much a reference's likeliest token has to be ahead of the second, in log-probability, for a greedy choice to be sure: the goldens' rule for what is computed in each precision. */
const SURE_MARGIN: Readonly<Record<string, number>> = { f16: 5e-2, f32: 1e-3 };

/** A stream that was to be the same as in quiet times. */
export type ComparedStream = Readonly<{
  name: string;
  prompt: readonly number[];
  expected: readonly number[];
  found: readonly number[];
}>;

/** Where a stream's tokens first are others than in quiet times. */
type Difference = Readonly<{
  name: string;
  position: number;
  /** By how much the quiet token was ahead of the next there; undefined: it was not found again, so nothing excuses it. */
  margin: number | undefined;
  /** Whether the quiet cluster too gives the other token, where it computes the prompt and the tokens before as a prompt, as a worker does that takes a stream over: then a small error of those rows is enough for it. */
  isOfPrompt: boolean;
}>;

/** What streams say that were to be the same: where they differ, in words; `ok` where each of those is within what the precision leaves open. */
export type Verdict = Readonly<{ ok: boolean; line: string }>;

/**
 * Compares streams with those of quiet times, and asks the cluster, which is quiet again, about those that differ. `recomputes`: it keeps no prefixes, so that a prompt is computed
 * anew; what kept rows would say, which a fault may have left, excuses nothing. Errors: the cluster's.
 */
export async function compareStreams(
  served: Served,
  streams: readonly ComparedStream[],
  precision: string,
  recomputes: boolean,
): Promise<Verdict> {
  const all: Difference[] = [];
  for (const stream of streams)
    if (stream.expected.join() !== stream.found.join()) all.push(await differenceOf(served, stream, recomputes));
  const sure = SURE_MARGIN[precision] ?? 0;
  const over = all.filter(({ margin }) => margin === undefined || !(margin <= sure));
  const wrong = over.filter(({ isOfPrompt }) => !isOfPrompt);
  const counts = [
    `${wrong.length} wrong`,
    `${all.length} differ in all`,
    `${all.length - over.length} of them where a token was ahead by ${sure} or less`,
    `${over.length - wrong.length} where the quiet cluster gives the other token too behind the same tokens as a prompt`,
  ];
  return { ok: wrong.length === 0, line: [counts.join(", "), ...all.map(placeOf)].join("; ") };
}

function placeOf({ name, position, margin, isOfPrompt }: Difference): string {
  const ahead = margin === undefined ? "not found again" : `ahead by ${margin.toExponential(1)}`;
  return `${name} at ${position} (${ahead}${isOfPrompt ? ", the same as a prompt" : ""})`;
}

async function differenceOf(
  served: Served,
  { name, prompt, expected, found }: ComparedStream,
  recomputes: boolean,
): Promise<Difference> {
  const position = expected.findIndex((token, i) => token !== found[i]);
  // One that only goes on longer has no token to compare.
  if (position < 0) return { name, position: expected.length, margin: undefined, isOfPrompt: false };
  const before = expected.slice(0, position);
  const { tokens, margins } = await served.margins(prompt, position + 1);
  const margin = tokens.join() === expected.slice(0, position + 1).join() ? margins.at(-1) : undefined;
  const [other] = recomputes ? await served.tokens([...prompt, ...before], 1) : [];
  return { name, position, margin, isOfPrompt: other !== undefined && other === found[position] };
}
