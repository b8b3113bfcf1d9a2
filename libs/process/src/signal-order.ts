import type { Clock } from "@drover/core";
import { SIGNAL_ECHO_MS } from "./limits.ts";

/**
 * The order of the signals that ask a process to end: the first one, an echo of it, or one more. A terminal's Ctrl-C reaches every process of its
 * foreground group, and a launcher such as npm passes it on besides: one wish, and no second one.
 */
export class SignalOrder {
  readonly #clock: Pick<Clock, "monotonic">;
  #firstMs: number | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Called once for each signal that comes. */
  next(): "first" | "echo" | "again" {
    const nowMs = this.#clock.monotonic();
    if (this.#firstMs !== undefined) return nowMs - this.#firstMs < SIGNAL_ECHO_MS ? "echo" : "again";
    this.#firstMs = nowMs;
    return "first";
  }
}
