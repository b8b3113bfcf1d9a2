import { RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN, STABLE_AFTER_MS } from "../limits.ts";

/** How long to wait before each restart: exponential in the deaths in a row, from the start again after a long life. */
export class Backoff {
  #deathCount = 0;

  /** The child has died after `livedMs`; returns the wait in milliseconds. */
  afterDeath(livedMs: number): number {
    if (livedMs >= STABLE_AFTER_MS) this.#deathCount = 0;
    const delayMs = RESTART_DELAY_MS_MIN * 2 ** this.#deathCount;
    this.#deathCount++;
    return Math.min(delayMs, RESTART_DELAY_MS_MAX);
  }
}
