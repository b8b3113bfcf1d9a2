const MINUTE_MS = 60_000;

/** Sums of parts of a request or token miss a whole one by less. */
const ROUNDING = 1e-6;

/**
 * What may be taken in a minute: it fills evenly, up to a minute's worth, and may go below nothing by what was not known beforehand. Source: a token
 * bucket, as OpenAI's limits behave.
 */
export class RateWindow {
  #perMinute: number;
  #level: number;
  #atMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.#perMinute = perMinute;
    this.#level = perMinute;
    this.#atMs = nowMs;
  }

  get perMinute(): number {
    return this.#perMinute;
  }

  /** Another limit from now on; what was taken stays taken. */
  change(perMinute: number, nowMs: number): void {
    const taken = this.#perMinute - this.#filled(nowMs);
    this.#perMinute = perMinute;
    this.#level = perMinute - taken;
  }

  /** What is left, at least 0. */
  remaining(nowMs: number): number {
    return Math.max(0, Math.floor(this.#filled(nowMs) + ROUNDING));
  }

  /** Milliseconds until `count` can be taken, or a whole minute's worth where it is more; 0 where it can now. */
  waitMs(count: number, nowMs: number): number {
    const missing = Math.min(count, this.#perMinute) - this.#filled(nowMs);
    return missing <= ROUNDING ? 0 : Math.ceil((missing / this.#perMinute) * MINUTE_MS);
  }

  /** Milliseconds until all of it is there again. */
  resetMs(nowMs: number): number {
    return Math.ceil(((this.#perMinute - this.#filled(nowMs)) / this.#perMinute) * MINUTE_MS);
  }

  /** Whether there is or not. */
  take(count: number, nowMs: number): void {
    this.#level = this.#filled(nowMs) - count;
  }

  #filled(nowMs: number): number {
    const gained = (Math.max(0, nowMs - this.#atMs) / MINUTE_MS) * this.#perMinute;
    this.#level = Math.min(this.#perMinute, this.#level + gained);
    this.#atMs = nowMs;
    return this.#level;
  }
}
