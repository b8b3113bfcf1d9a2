import { BATCHING_LIMITS } from "./limits.ts";

/** A choice as one that holds KV, or needs it. */
export type Holder = Readonly<{
  /** Rises with admission. */
  id: number;
  /** Committed rows, which a preemption would have computed again. */
  position: number;
  byteCount: number;
  /** Times that it was preempted. */
  preemptionCount: number;
  /** Steps in a row that it got no KV. */
  stalledStepCount: number;
}>;

/** Whether it has given way, or waited, as often as anyone must. */
export function isSenior({ preemptionCount, stalledStepCount }: Holder): boolean {
  return preemptionCount >= BATCHING_LIMITS.preemptionsMax || stalledStepCount >= BATCHING_LIMITS.stallStepsMax;
}

/** Seniors first, by age; the others by age behind them. The first in this order can always go on: every other may have to give way to it. */
export function comparePrecedence(a: Holder, b: Holder): number {
  return Number(isSenior(b)) - Number(isSenior(a)) || a.id - b.id;
}

/**
 * Who gives its KV back, so that `needy` gets `bytesMissing` more: the one that costs least to compute again among those that hold enough,
 * else the one that costs least for each byte. That may be `needy` itself, unless it is a senior. A senior is only taken from by seniors that
 * are older, so that whoever has given way `preemptionsMax` times gets on in the order of admission, and every admitted request ends.
 * Undefined: nobody may be taken from, and `needy` waits.
 */
export function chooseVictim(
  needy: Holder,
  holders: readonly Holder[],
  bytesMissing: number,
  recomputeMs: (holder: Holder) => number,
): Holder | undefined {
  const candidates = holders.filter((holder) => holder.byteCount > 0 && mayGiveWay(holder, needy));
  const enough = candidates.filter(({ byteCount }) => byteCount >= bytesMissing);
  if (enough.length > 0) return cheapest(enough, recomputeMs);
  return cheapest(candidates, (holder) => recomputeMs(holder) / holder.byteCount);
}

function mayGiveWay(holder: Holder, needy: Holder): boolean {
  if (isSenior(needy)) return holder.id !== needy.id && comparePrecedence(needy, holder) < 0;
  return !isSenior(holder);
}

function cheapest(candidates: readonly Holder[], cost: (holder: Holder) => number): Holder | undefined {
  let best: Holder | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const ms = cost(candidate);
    // Of equals the youngest: it has waited least.
    if (ms < least || (ms === least && best !== undefined && candidate.id > best.id)) {
      best = candidate;
      least = ms;
    }
  }
  return best;
}
