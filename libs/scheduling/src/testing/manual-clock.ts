import type { Clock } from "@drover/core";

/** Time that moves only when the test says so; wall time and monotonic time are the same. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ atMs: number; resolve: () => void }>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const sleeper = { atMs: this.#now + ms, resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  /** Lets everything run that is due on the way, in order of its time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#now + ms;
    await settled();
    for (;;) {
      const next = [...this.#sleepers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#now = Math.max(this.#now, next.atMs);
      this.#sleepers.delete(next);
      next.resolve();
      await settled();
    }
    this.#now = untilMs;
  }
}

/** All promises that can go on without time or I/O have gone on. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
