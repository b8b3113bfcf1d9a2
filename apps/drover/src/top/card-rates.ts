import type { ClusterState } from "@drover/fleet";

/** What a worker with a card did between two reports: steps a second, and the share of the time in which they computed. */
export type CardRate = Readonly<{ stepsPerSecond: number; computing: number }>;

type Report = Readonly<{ atMs: number; stepCount: number; computedMs: number; rate: CardRate | undefined }>;

/** Rates of workers with cards, out of what each has said of itself one time after the other, by its own clock. */
export class CardRates {
  #last: ReadonlyMap<string, Report> = new Map();

  /** The rates that a newer state shows, by worker's id; none of a worker that has said only one thing yet, or has started anew since. */
  see({ workers }: ClusterState): ReadonlyMap<string, CardRate> {
    const reports = workers.flatMap(({ workerId, status }) => {
      if (status?.card === undefined) return [];
      const now = { atMs: status.sentAtMs, stepCount: status.progress, computedMs: status.computedMs };
      return [[workerId, { ...now, rate: rateOf(this.#last.get(workerId), now) }] as const];
    });
    this.#last = new Map(reports);
    return new Map(reports.flatMap(([id, { rate }]) => (rate === undefined ? [] : [[id, rate] as const])));
  }
}

function rateOf(before: Report | undefined, now: Omit<Report, "rate">): CardRate | undefined {
  if (before === undefined || now.stepCount < before.stepCount) return undefined;
  const tookMs = now.atMs - before.atMs;
  // The same report, looked at twice.
  if (tookMs <= 0) return before.rate;
  return {
    stepsPerSecond: (1000 * (now.stepCount - before.stepCount)) / tookMs,
    computing: (now.computedMs - before.computedMs) / tookMs,
  };
}
