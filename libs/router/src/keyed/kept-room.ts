import type { Clock } from "@drover/core";
import { KEYED_ANSWER_MS } from "../limits.ts";

/** Bytes that a router has in the store for its clients' sake: those it may take away again, and those that lie there until their time is over. */
export class KeptRoom {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #left: { byteCount: number; untilMs: number }[] = [];
  #byteCount = 0;

  constructor(bytesMax: number, clock: Clock) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
  }

  /** Takes room; false where there is not so much. */
  take(byteCount: number): boolean {
    const nowMs = this.#clock.monotonic();
    for (let first = this.#left[0]; first !== undefined && first.untilMs <= nowMs; first = this.#left[0]) {
      this.#byteCount -= first.byteCount;
      this.#left.shift();
    }
    if (this.#byteCount + byteCount > this.#bytesMax) return false;
    this.#byteCount += byteCount;
    return true;
  }

  /** Gives back what was taken. */
  give(byteCount: number): void {
    this.#byteCount -= byteCount;
  }

  /** What was taken lies in the store until its time is over. */
  leave(byteCount: number): void {
    this.#left.push({ byteCount, untilMs: this.#clock.monotonic() + KEYED_ANSWER_MS });
  }
}
