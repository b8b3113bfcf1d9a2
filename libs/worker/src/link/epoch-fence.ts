import { STALE_LEADER_MS } from "../limits.ts";

/**
 * Whom a worker obeys: two schedulers may both believe that they lead, where one slept through the loss of its lease. The one of the older
 * epoch is refused while the newer one may still be there; after that an older epoch is that of a cluster whose clock was set back.
 */
export class EpochFence {
  #newest = 0n;
  #heardMs = Number.NEGATIVE_INFINITY;

  /** Whether a leader of the epoch is obeyed now, on the clock's monotonic scale; it is the newest from then on. */
  admits(epoch: bigint, nowMs: number): boolean {
    if (epoch < this.#newest && nowMs - this.#heardMs < STALE_LEADER_MS) return false;
    this.#newest = epoch;
    this.heard(nowMs);
    return true;
  }

  /** The leader that is obeyed was there until now. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }
}
