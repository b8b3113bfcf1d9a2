import { assert, type MaskCursor, type MaskRequest, type TokenMasks } from "@drover/core";
import { MASK_THREADS_MAX, SETTLE_MS_MAX } from "./limits.ts";
import { MaskLane } from "./mask-lane.ts";
import type { MaskThreadSettings } from "./mask-messages.ts";

/** Masks that XGrammar makes on threads. They start when they are needed, and read the vocabulary then. */
export class GrammarMasks implements TokenMasks, AsyncDisposable {
  readonly #lanes: readonly MaskLane[];

  constructor(settings: MaskThreadSettings) {
    this.#lanes = Array.from({ length: MASK_THREADS_MAX }, () => new MaskLane(settings));
  }

  /** The thread that has the grammar makes its masks, or the one with fewest cursors. */
  open(request: MaskRequest): MaskCursor {
    const [first, ...others] = this.#lanes;
    assert(first !== undefined, "there is a thread for masks");
    const emptiest = others.reduce((one, other) => (other.cursorCount < one.cursorCount ? other : one), first);
    const lane = this.#lanes.find((one) => one.has(request.grammar)) ?? emptiest;
    return lane.begin(request);
  }

  settle(): Promise<void> | undefined {
    const settling = this.#lanes.flatMap((lane) => lane.settling);
    return settling.length === 0 ? undefined : within(SETTLE_MS_MAX, Promise.all(settling));
  }

  /** Ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane[Symbol.asyncDispose]()));
  }
}

async function within(msMax: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, msMax);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
