import type { Clock } from "@drover/core";
import { isOverBeforeSilence } from "./over-within.ts";
import { PeerPaces } from "./peer-pace.ts";

/** How long one peer's answers are waited for: by what they have taken so far, as for experts' rows. */
export class AnswerPace {
  readonly #clock: Clock;
  readonly #peer: string;
  readonly #paces = new PeerPaces();
  #givenUpCount = 0;

  constructor(clock: Clock, peer: string) {
    this.#clock = clock;
    this.#peer = peer;
  }

  /** Whether the peer is not to be asked now: what it was asked last was given up, and may still be answered. */
  get isWithheld(): boolean {
    return this.#givenUpCount > 0;
  }

  /**
   * The answer, or undefined where the call ends without one, or its peer has been silent for too long: then nobody waits for it any more. Until something is known of the peer's times, the call's own
   * limit is all. `size`: what the answer takes is proportional to it, but for a part that each has.
   */
  async within<Answer>(size: number, asked: Promise<Answer | undefined>): Promise<Answer | undefined> {
    const began = this.#clock.monotonic();
    const answered = asked.then((answer) => {
      const now = this.#clock.monotonic();
      if (answer !== undefined) this.#paces.note(this.#peer, size, now - began, now);
      return answer;
    });
    const silentMs = this.#paces.silentMs(this.#peer, size);
    if (silentMs === undefined || (await isOverBeforeSilence(this.#clock, answered, silentMs))) return answered;
    this.#givenUpCount += 1;
    void answered.finally(() => {
      this.#givenUpCount -= 1;
    });
    return undefined;
  }
}
