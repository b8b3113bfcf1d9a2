import { type Clock, Wakeup } from "@drover/core";

/** Where requests wait while the cluster cannot serve: an expert's last holder starts again in seconds, and a leader is found in fewer. How long, and what
 * they are answered then, `Inference` decides. */
export class ReadyGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<Wakeup>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that wait. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Lets all who wait go on. */
  open(): void {
    for (const one of this.#waiting) one.wake();
  }

  /** Resolves when the gate opens, after `ms` milliseconds, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const opened = new Wakeup();
    this.#waiting.add(opened);
    try {
      await opened.wait(ms, this.#clock, signal);
    } finally {
      this.#waiting.delete(opened);
    }
  }
}
