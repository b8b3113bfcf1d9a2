import type { ClusterState } from "@drover/fleet";

type Report = Readonly<{ atMs: number; tokenCount: number; rate: number | undefined }>;

/** Tokens a second of each worker, out of what it has said of itself one time after the other, by its own clock. */
export class TokenRates {
  #last: ReadonlyMap<string, Report> = new Map();

  /** The rates that a newer state shows, by worker's id; none of a worker that has said only one thing yet, or has started anew since. */
  see({ workers }: ClusterState): ReadonlyMap<string, number> {
    const reports = workers.flatMap(({ workerId, roles, status }) => {
      if (status === undefined || !roles.includes("attention")) return [];
      const now = { atMs: status.sentAtMs, tokenCount: status.generatedTokenCount };
      return [[workerId, { ...now, rate: rateOf(this.#last.get(workerId), now) }] as const];
    });
    this.#last = new Map(reports);
    return new Map(reports.flatMap(([id, { rate }]) => (rate === undefined ? [] : [[id, rate] as const])));
  }
}

function rateOf(before: Report | undefined, now: Omit<Report, "rate">): number | undefined {
  if (before === undefined || now.tokenCount < before.tokenCount) return undefined;
  // The same report, looked at twice.
  if (now.atMs <= before.atMs) return before.rate;
  return (1000 * (now.tokenCount - before.tokenCount)) / (now.atMs - before.atMs);
}
