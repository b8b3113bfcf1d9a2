import type { Clock } from "@drover/core";
import { assert } from "@drover/core";

type Sleeper = Readonly<{ wakeAtMs: number; order: number; wake: () => void }>;

/** A clock that stands still until it is told to advance. */
export class SimClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #sleepers = new Set<Sleeper>();

  /** `startMs`: Unix milliseconds at the start. */
  constructor(startMs = 1_000_000) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** How many sleeps have neither ended nor been aborted. */
  get sleeperCount(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      const sleeper: Sleeper = {
        wakeAtMs: this.#elapsedMs + Math.max(0, ms),
        order: this.#order++,
        wake: () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * Lets `ms` pass: sleepers wake one by one in the order of their times, each at its own time, and what they do before they wait again is done
   * before the next one wakes, so that a loop that sleeps anew is woken as often as it would be.
   */
  async advance(ms: number): Promise<void> {
    assert(ms >= 0, "time never goes back");
    const end = this.#elapsedMs + ms;
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#elapsedMs = next.wakeAtMs;
      this.#sleepers.delete(next);
      next.wake();
      await settled();
    }
    this.#elapsedMs = end;
  }

  #next(endMs: number): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.wakeAtMs > endMs) continue;
      if (next === undefined || sleeper.wakeAtMs < next.wakeAtMs) next = sleeper;
      else if (sleeper.wakeAtMs === next.wakeAtMs && sleeper.order < next.order) next = sleeper;
    }
    return next;
  }
}

/** All promises that can go on without time or I/O have gone on. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
