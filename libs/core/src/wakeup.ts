import type { Clock } from "./clock.ts";
import { DroverError } from "./errors.ts";
import { restOfPeriod } from "./period.ts";

const WOKEN = new DroverError("cancelled", "the wait is over");

/** Lets one loop sleep until something happens. A wake-up that comes before the wait is not lost. */
export class Wakeup {
  #woken = false;
  #wake: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Resolves at the next wake-up, after `ms`, or when the signal aborts, whichever is first. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      const ended = new AbortController();
      const end = () => ended.abort(WOKEN);
      this.#wake = end;
      signal.addEventListener("abort", end, { once: true });
      try {
        await sleepUnlessAborted(clock, ms, ended.signal);
      } finally {
        signal.removeEventListener("abort", end);
        this.#wake = undefined;
      }
    }
    this.#woken = false;
  }

  /** As {@link wait}, until the clock's monotonic scale is at a multiple of the period: together with whatever else waits so. */
  async waitOutPeriod(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    await this.wait(restOfPeriod(clock.monotonic(), ms), clock, signal);
  }
}

/** As `clock.sleep`, but the signal ends it quietly. */
export async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
