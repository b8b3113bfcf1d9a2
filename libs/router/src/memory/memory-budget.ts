import { DroverError } from "@drover/core";
import { RETRY_AFTER_MS } from "../limits.ts";

/** What a router keeps for its requests, by what it is: each kind has a budget of bytes. */
export const MEMORY_KINDS = ["bodies", "images", "prompts", "answers", "unread"] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** What a client is told that is refused because a budget is used up. */
const FULL: Readonly<Record<MemoryKind, string>> = {
  bodies: "the router holds the bodies of too many requests",
  images: "the router holds too many images",
  prompts: "the router holds too many prompts' tokens",
  answers: "the router holds too much of the answers that it is gathering",
  unread: "the router holds too much that its clients have not read",
};

/** Bytes of one kind that a router keeps, and the most that it may. */
export class MemoryBudget {
  readonly kind: MemoryKind;
  readonly bytesMax: number;
  #byteCount = 0;

  constructor(kind: MemoryKind, bytesMax: number) {
    this.kind = kind;
    this.bytesMax = bytesMax;
  }

  get byteCount(): number {
    return this.#byteCount;
  }

  /** Counts bytes; false where there is no room for them, and then nothing is counted. `most`: of the budget, as much as they may fill. */
  take(byteCount: number, most = this.bytesMax): boolean {
    if (this.#byteCount + byteCount > most) return false;
    this.#byteCount += byteCount;
    return true;
  }

  /** Counts bytes that were promised: they may go beyond the budget, by what all promises come to. */
  owe(byteCount: number): void {
    this.#byteCount += byteCount;
  }

  give(byteCount: number): void {
    this.#byteCount -= byteCount;
  }

  /** Counts bytes until it is disposed of. Errors: `overloaded`. */
  hold(byteCount: number): Disposable {
    if (!this.take(byteCount)) throw this.full();
    return held(this, byteCount);
  }

  /** What refuses a request where there is no room. */
  full(): DroverError {
    return new DroverError("overloaded", `${FULL[this.kind]}; come back later`, { retryAfterMs: RETRY_AFTER_MS });
  }
}

/** Gives back what is counted already, once. */
export function held(budget: MemoryBudget, byteCount: number): Disposable {
  let left = byteCount;
  return {
    [Symbol.dispose]: () => {
      budget.give(left);
      left = 0;
    },
  };
}
