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

/** What a client is told whose request has more of a kind than the whole budget, and the flag that gives more. */
const BEYOND: Readonly<Record<MemoryKind, Readonly<{ what: string; flag: string }>>> = {
  bodies: { what: "bodies", flag: "body-memory" },
  images: { what: "images", flag: "image-memory" },
  prompts: { what: "prompts' tokens", flag: "prompt-memory" },
  answers: { what: "the answers that it is gathering", flag: "answer-memory" },
  unread: { what: "what its clients have not read", flag: "unread-memory" },
};

const MIB = 2 ** 20;

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

  /** Counts bytes of what is made already, which nobody is to wait for: as `take`, and more than the whole budget where nothing else is counted. */
  takeMade(byteCount: number): boolean {
    if (this.#byteCount > 0) return this.take(byteCount);
    this.owe(byteCount);
    return true;
  }

  /** Counts bytes that were promised: they may go beyond the budget, by what all promises come to. */
  owe(byteCount: number): void {
    this.#byteCount += byteCount;
  }

  give(byteCount: number): void {
    this.#byteCount -= byteCount;
  }

  /** Counts bytes until it is disposed of. Errors: those of `refusal`. */
  hold(byteCount: number): Disposable {
    if (!this.take(byteCount)) throw this.refusal(byteCount);
    return held(this, byteCount);
  }

  /**
   * What refuses a request that has `byteCount` in all: `overloaded`, or `payload_too_large` where an empty router would have no room for it either, so
   * that nobody comes back with it, batches least of all. `most`: of the budget, as much as it may fill.
   */
  refusal(byteCount: number, most = this.bytesMax): DroverError {
    if (byteCount <= most) return this.full();
    // Rounded apart: what is a byte too much is not told as the size that is kept.
    const [needed, kept] = [Math.ceil((byteCount / MIB) * 10) / 10, Math.floor((most / MIB) * 10) / 10];
    const { what, flag } = BEYOND[this.kind];
    const sentence = `the request alone may take ${needed.toFixed(1)} MiB, and the router keeps ${kept.toFixed(1)} MiB of ${what} at most: ask for less, or raise the router's --${flag}`;
    return new DroverError("payload_too_large", sentence);
  }

  /** Refuses what an empty router would have no room for. Errors: `payload_too_large`. `most`: as for `refusal`. */
  check(byteCount: number, most = this.bytesMax): void {
    if (byteCount > most) throw this.refusal(byteCount, most);
  }

  /** What refuses a request where there is no room now. */
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
