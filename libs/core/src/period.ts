/** A wait that would end sooner after its beginning than this part of the period lasts a period longer: timers may be early. */
const SHORTEST_PART = 0.1;

/**
 * Milliseconds until time on the clock's monotonic scale is a whole multiple of a period: 0.1 to 1.1 of it. What a process looks at once a period is
 * looked at together then, and an idle one wakes once a period instead of once for each. The processes of a machine have one scale: what they tell each
 * other once a period comes while its reader is awake, and those of different machines speak at different times.
 */
export function restOfPeriod(nowMs: number, periodMs: number): number {
  const restMs = periodMs - (nowMs % periodMs);
  return Math.ceil(restMs < SHORTEST_PART * periodMs ? restMs + periodMs : restMs);
}
