import type { Clock } from "@drover/core";
import { KEPT_ROOM_GRAIN_MS, KEYED_ANSWER_MS } from "../limits.ts";

/** Bytes that a router has in the store for its clients' sake: those it may take away again, and those that lie there until their time is over. */
export class KeptRoom {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  /** What was left within a grain of time is one: of an answer of some hundred bytes there may be hundreds of thousands. */
  readonly #left: { byteCount: number; readonly sinceMs: number; untilMs: number }[] = [];
  #byteCount = 0;

  constructor(bytesMax: number, clock: Clock) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
  }

  /** Bytes that are taken, and in how many counts those are that wait for their time. */
  get held(): Readonly<{ byteCount: number; leftCount: number }> {
    return { byteCount: this.#byteCount, leftCount: this.#left.length };
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
    if (byteCount === 0) return;
    const nowMs = this.#clock.monotonic();
    const untilMs = nowMs + KEYED_ANSWER_MS;
    const last = this.#left.at(-1);
    if (last !== undefined && nowMs - last.sinceMs < KEPT_ROOM_GRAIN_MS) {
      last.byteCount += byteCount;
      last.untilMs = untilMs;
    } else this.#left.push({ byteCount, sinceMs: nowMs, untilMs });
  }
}
