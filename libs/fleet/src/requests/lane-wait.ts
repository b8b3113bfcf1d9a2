import { LANE_WAIT_SMOOTHING } from "../limits.ts";

/** What a request that is added to a lane now has to expect. */
export type LaneForecast = Readonly<{ waitMs: number; msPerJob: number }>;

/**
 * Predicts how long a lane's next job will wait: as many jobs as are ahead of it, at the pace at which the lane was placed while something
 * waited in it, and as long again as the next placement is late already: a lane that stands still gets ever worse, but not by all its
 * jobs, which may all go at once when a worker comes back.
 */
export class LaneWait {
  #msPerJob = 0;
  /** The time since which jobs wait without one being placed; undefined while none waits. */
  #sinceMs: number | undefined;

  /** A worker has accepted a job, and `waitingCount` others still wait. */
  placed(waitingCount: number, now: number): void {
    if (this.#sinceMs !== undefined) {
      const ms = Math.max(0, now - this.#sinceMs);
      this.#msPerJob += LANE_WAIT_SMOOTHING * (ms - this.#msPerJob);
    }
    this.#sinceMs = waitingCount > 0 ? now : undefined;
  }

  /** The prediction for what is added behind `waitingCount` jobs. */
  forecast(waitingCount: number, now: number): LaneForecast {
    if (waitingCount === 0) {
      this.#sinceMs = undefined;
      return { waitMs: 0, msPerJob: this.#msPerJob };
    }
    this.#sinceMs ??= now;
    const late = Math.max(0, now - this.#sinceMs - this.#msPerJob);
    return { waitMs: waitingCount * this.#msPerJob + late, msPerJob: this.#msPerJob };
  }
}
