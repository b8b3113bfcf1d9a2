import type { WorkerId } from "@drover/core";
import {
  ACCUSATION_MS_MAX,
  ACCUSATIONS_REMEMBERED_MS,
  ACCUSED_HOLD_MS,
  ACCUSED_HOLD_MS_MAX,
  ACCUSED_SILENT_MS,
} from "../limits.ts";
import type { Member } from "./member.ts";

/** What is known of a worker that was suspected because others accused it. */
type Hold = { count: number; suspectedAtMs: number; heardSinceMs: number | undefined };

/**
 * Holders of experts that attention workers find silent. One that has missed a heartbeat too is frozen or gone, and is suspected at once; of one that speaks with
 * the scheduler, most of those who compute must say so for a while: they may be cut off from it. Each time it happens again, such a worker must be heard for longer before
 * it is trusted, so that experts do not go to and fro with it. Pure: time is an argument.
 */
export class Accusations {
  /** Since when anybody finds a worker silent, and since when most of those who compute do. */
  readonly #byAnyMs = new Map<WorkerId, number>();
  readonly #byMostMs = new Map<WorkerId, number>();
  readonly #holds = new Map<WorkerId, Hold>();

  /** Takes what the members say now. The word of one who has missed a heartbeat itself does not count. */
  observe(members: readonly Member[], now: number): void {
    const counts = new Map<WorkerId, number>();
    let computingCount = 0;
    for (const { suspected, status, heardAtMs } of members) {
      if (suspected || status === undefined || now - heardAtMs >= ACCUSED_SILENT_MS) continue;
      if (status.runningCount > 0) computingCount += 1;
      for (const { workerId, isSilent } of status.slowPeers)
        if (isSilent) counts.set(workerId, (counts.get(workerId) ?? 0) + 1);
    }
    const most = [...counts].filter(([, count]) => 2 * count >= computingCount);
    noteSince(this.#byAnyMs, new Set(counts.keys()), now);
    noteSince(this.#byMostMs, new Set(most.map(([workerId]) => workerId)), now);
    for (const [worker, { suspectedAtMs }] of this.#holds)
      if (now - suspectedAtMs >= ACCUSATIONS_REMEMBERED_MS) this.#holds.delete(worker);
  }

  /** Whether a member that is not suspected is to be. */
  suspects({ profile: { workerId }, heardAtMs }: Member, now: number): boolean {
    const isFrozen = this.#byAnyMs.has(workerId) && now - heardAtMs >= ACCUSED_SILENT_MS;
    if (!isFrozen && !this.#isCutOff(workerId, now)) return false;
    this.noteSuspected(workerId, now);
    return true;
  }

  /** The worker is suspected, for this or another reason that may come again. */
  noteSuspected(worker: WorkerId, now: number): void {
    const count = (this.#holds.get(worker)?.count ?? 0) + 1;
    this.#holds.set(worker, { count, suspectedAtMs: now, heardSinceMs: undefined });
  }

  /** Whether a suspected member that has just been heard is to be trusted again. `member`: as it was before. */
  mayRecover({ profile: { workerId }, heardAtMs }: Member, now: number): boolean {
    const hold = this.#holds.get(workerId);
    if (hold === undefined) return true;
    if (hold.heardSinceMs === undefined || now - heardAtMs >= ACCUSED_SILENT_MS) hold.heardSinceMs = now;
    const holdMs = hold.count === 1 ? 0 : Math.min(ACCUSED_HOLD_MS_MAX, ACCUSED_HOLD_MS * 2 ** (hold.count - 2));
    return now - hold.heardSinceMs >= holdMs && !this.#isCutOff(workerId, now);
  }

  #isCutOff(worker: WorkerId, now: number): boolean {
    return now - (this.#byMostMs.get(worker) ?? now) >= ACCUSATION_MS_MAX;
  }
}

/** Who is named is known since `now`, unless before; who is not any more is forgotten. */
function noteSince(sinceMs: Map<WorkerId, number>, named: ReadonlySet<WorkerId>, now: number): void {
  for (const worker of sinceMs.keys()) if (!named.has(worker)) sinceMs.delete(worker);
  for (const worker of named) if (!sinceMs.has(worker)) sinceMs.set(worker, now);
}
