import type { Clock } from "@drover/core";

/** Time that calls are told to take; a sleep ends when time has come to its end. */
export class SteppedClock implements Clock {
  #ms = 0;
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();

  now = () => this.#ms;
  monotonic = () => this.#ms;

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      const sleeper = { atMs: this.#ms + ms, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  pass(ms: number): void {
    this.#ms += ms;
    for (const sleeper of this.#sleepers) if (sleeper.atMs <= this.#ms) sleeper.wake();
  }
}
