import { RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN, SERVED_AFTER_MS, STABLE_AFTER_MS } from "../limits.ts";

/** How long to wait before each restart: exponential in the deaths in a row, from the start again after a long life, or after one that served. */
export class Backoff {
  #deathCount = 0;

  /** The child has died after `livedMs`, of which it was ready for the last `readyMs`; returns the wait in milliseconds. */
  afterDeath(livedMs: number, readyMs = 0): number {
    if (livedMs >= STABLE_AFTER_MS || readyMs >= SERVED_AFTER_MS) this.#deathCount = 0;
    const delayMs = RESTART_DELAY_MS_MIN * 2 ** this.#deathCount;
    this.#deathCount++;
    return Math.min(delayMs, RESTART_DELAY_MS_MAX);
  }
}
