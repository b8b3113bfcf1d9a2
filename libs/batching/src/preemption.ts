import { PREEMPTIONS_MAX } from "./limits.ts";

/** A choice as one that holds KV, or needs it. */
export type Holder = Readonly<{
  /** Rises with admission. */
  id: number;
  byteCount: number;
  /** What it takes to compute its rows again, milliseconds. */
  recomputeMs: number;
  /** Times that it was preempted. */
  preemptionCount: number;
  /** How long it has got no KV and could not go on, milliseconds; undefined while it does. */
  waitedMs: number | undefined;
}>;

/**
 * Who gives its KV back, so that `needy` gets `bytesMissing` more: what costs least to compute again among those that hold enough, else what
 * costs least for each byte. That may be `needy` itself, which then waits and keeps its rows until another is in need. Nobody waits for ever:
 *
 * - One that was preempted `preemptionsMax` times is taken from only by older ones.
 * - One that has waited as long as computing a younger one's rows again takes, takes them, whatever it costs; at once where the other waits as well.
 *
 * So the oldest of all is preempted a bounded number of times and waits a bounded time, and when it has ended there is another oldest.
 * Undefined: `needy` waits.
 */
export function chooseVictim<T extends Holder>(
  needy: Holder,
  holders: readonly T[],
  bytesMissing: number,
): T | undefined {
  const owed = holders.filter((holder) => holder.byteCount > 0 && owes(holder, needy));
  if (owed.length > 0) return cheapest(owed, bytesMissing);
  const candidates = holders.filter(
    ({ id, byteCount, preemptionCount }) => id === needy.id || (byteCount > 0 && preemptionCount < PREEMPTIONS_MAX),
  );
  const victim = cheapest(candidates, bytesMissing);
  return victim?.id === needy.id ? undefined : victim;
}

/** Whether `needy` has waited long enough to take the holder's KV by right of age. */
export function owes(holder: Holder, needy: Holder): boolean {
  if (holder.id <= needy.id || needy.waitedMs === undefined) return false;
  return holder.waitedMs !== undefined || needy.waitedMs >= holder.recomputeMs;
}

function cheapest<T extends Holder>(candidates: readonly T[], bytesMissing: number): T | undefined {
  const enough = candidates.filter(({ byteCount }) => byteCount >= bytesMissing);
  if (enough.length > 0) return leastBy(enough, ({ recomputeMs }) => recomputeMs);
  return leastBy(candidates, ({ recomputeMs, byteCount }) => recomputeMs / Math.max(1, byteCount));
}

/** Of equals the youngest: it has waited least. */
function leastBy<T extends Holder>(candidates: readonly T[], cost: (holder: T) => number): T | undefined {
  let best: T | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const value = cost(candidate);
    if (value > least || (value === least && best !== undefined && candidate.id < best.id)) continue;
    best = candidate;
    least = value;
  }
  return best;
}
