import type { DrainState } from "@drover/fleet";
import { EXPERTS_UNUSED_MS } from "../../limits.ts";

/**
 * Whether anybody still needs the experts of a worker that wants to end. The scheduler says when others have them. Where they fit nowhere else, or
 * no scheduler leads, they are kept for those who are connected, and for nobody else.
 */
export class ExpertRelease {
  #state: DrainState | undefined;
  #streamCount = 0;
  #usedUntilMs = Number.NEGATIVE_INFINITY;

  /** What the scheduler says of this worker's drain. */
  note(state: DrainState): void {
    this.#state = state;
  }

  /** The drain was undone: what the scheduler said of it does not hold any more. */
  forget(): void {
    this.#state = undefined;
  }

  /** An attention worker's stream. */
  streamOpened(): void {
    this.#streamCount += 1;
  }

  streamClosed(nowMs: number): void {
    this.#streamCount -= 1;
    this.#usedUntilMs = nowMs + EXPERTS_UNUSED_MS;
  }

  isNeeded(nowMs: number, hasLeader: boolean): boolean {
    if (this.#state?.expertsDrained) return false;
    const areOthersLoading = hasLeader && this.#state?.obstacle === undefined;
    return areOthersLoading || this.#streamCount > 0 || nowMs < this.#usedUntilMs;
  }
}
