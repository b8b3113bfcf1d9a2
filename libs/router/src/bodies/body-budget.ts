import { BODIES_BYTES_MAX, LARGE_BODIES_PART, LARGE_BODY_BYTES } from "../limits.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";

/** What one body holds of the budget, until it is disposed of. */
export interface BodyHold extends Disposable {
  /** Counts bytes that have come. Errors: `overloaded` when all bodies together have too many, `payload_too_large` when this one alone has. */
  add(byteCount: number): void;
  /** Counts so many in all, in place of what was added. Errors: as `add`. */
  become(byteCount: number): void;
  /** Refuses a body that will have so many bytes where it has no room alone. Errors: `payload_too_large`. */
  check(byteCount: number): void;
}

/** The bytes of all bodies that a router has received and not yet made prompts of. */
export class BodyBudget {
  readonly #budget: MemoryBudget;
  /** Of the budget, what bodies above LARGE_BODY_BYTES may have. */
  readonly largeBytesMax: number;

  /** `largeBytesMax`: of the budget, what large bodies may have; what is left is for the many small ones. LARGE_BODIES_PART of it unless given. */
  constructor(
    budget = new MemoryBudget("bodies", BODIES_BYTES_MAX),
    largeBytesMax = budget.bytesMax * LARGE_BODIES_PART,
  ) {
    this.#budget = budget;
    this.largeBytesMax = largeBytesMax;
  }

  get byteCount(): number {
    return this.#budget.byteCount;
  }

  /** Of the budget, what bodies of this size may fill. */
  #mostOf(byteCount: number): number {
    return byteCount > LARGE_BODY_BYTES ? this.largeBytesMax : this.#budget.bytesMax;
  }

  /** Opens a body's account. */
  hold(): BodyHold {
    let own = 0;
    let isOver = false;
    const become = (byteCount: number) => {
      if (isOver) return;
      const most = this.#mostOf(byteCount);
      if (byteCount <= own) this.#budget.give(own - byteCount);
      else if (!this.#budget.take(byteCount - own, most)) throw this.#budget.refusal(byteCount, most);
      own = byteCount;
    };
    return {
      add: (byteCount) => become(own + byteCount),
      become,
      check: (byteCount) => this.#budget.check(byteCount, this.#mostOf(byteCount)),
      [Symbol.dispose]: () => {
        if (!isOver) this.#budget.give(own);
        isOver = true;
      },
    };
  }
}
