import { DroverError } from "@drover/core";
import { BODIES_BYTES_MAX, LARGE_BODIES_BYTES_MAX, LARGE_BODY_BYTES, RETRY_AFTER_MS } from "../limits.ts";

export type BodyBudgetOptions = Readonly<{
  /** Bytes of all bodies together. */
  bytesMax: number;
  /** Of them, those that large bodies may have: what is left is for the many small ones. */
  largeBytesMax: number;
}>;

/** What one body holds of the budget, until it is disposed of. */
export interface BodyHold extends Disposable {
  /** Counts bytes that have come. Errors: `overloaded` when all bodies together have too many. */
  add(byteCount: number): void;
}

/** The bytes of all bodies that a router has received and not yet made prompts of. */
export class BodyBudget {
  readonly #options: BodyBudgetOptions;
  #byteCount = 0;

  constructor(options: BodyBudgetOptions = { bytesMax: BODIES_BYTES_MAX, largeBytesMax: LARGE_BODIES_BYTES_MAX }) {
    this.#options = options;
  }

  get byteCount(): number {
    return this.#byteCount;
  }

  /** Opens a body's account. */
  hold(): BodyHold {
    let own = 0;
    let isOver = false;
    return {
      add: (byteCount) => {
        if (isOver) return;
        const { bytesMax, largeBytesMax } = this.#options;
        const most = own + byteCount > LARGE_BODY_BYTES ? largeBytesMax : bytesMax;
        if (this.#byteCount + byteCount > most)
          throw new DroverError("overloaded", "the router holds the bodies of too many requests; come back later", {
            retryAfterMs: RETRY_AFTER_MS,
          });
        own += byteCount;
        this.#byteCount += byteCount;
      },
      [Symbol.dispose]: () => {
        if (!isOver) this.#byteCount -= own;
        isOver = true;
      },
    };
  }
}
