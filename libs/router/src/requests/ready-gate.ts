import type { Clock } from "@drover/core";

/** Where requests wait while the cluster cannot serve: an expert's last holder starts again in seconds, and a leader is found in fewer. */
export class ReadyGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that wait. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Lets all who wait go on. */
  open(): void {
    for (const pass of this.#waiting) pass();
  }

  /** Resolves when the gate opens, after `ms` milliseconds, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const opened = new AbortController();
    const pass = () => opened.abort();
    this.#waiting.add(pass);
    try {
      await this.#clock.sleep(ms, AbortSignal.any([opened.signal, signal])).catch(() => undefined);
    } finally {
      this.#waiting.delete(pass);
    }
  }
}
