import type { LoadLevel } from "./load-level.ts";

/**
 * When each of so many requests begins, in milliseconds behind the first; all at 0 where others' ends say when (`concurrency`). Gaps of a rate are
 * gamma-distributed with shape `burstiness`: 1 is exponential, a Poisson process.
 */
export function beginTimes(level: LoadLevel, count: number, random: () => number): number[] {
  if (level.kind !== "rate") return Array.from({ length: count }, () => 0);
  const meanGapMs = 1000 / level.perSecond;
  let atMs = 0;
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) atMs += (gamma(level.burstiness, random) * meanGapMs) / level.burstiness;
    return atMs;
  });
}

/** Marsaglia and Tsang's method (2000), for any shape: below 1 from shape + 1 and a power. */
function gamma(shape: number, random: () => number): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Box and Muller. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
