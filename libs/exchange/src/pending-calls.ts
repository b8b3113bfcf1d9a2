import { assert, TransientMap } from "@drover/core";

/** One frame that was sent and not answered yet. */
type Pending<Reply> = { deadline: number; byteCount: number; settle: (reply: Reply | undefined) => void };

export type CreditLimits = Readonly<{ callCountMax: number; byteCountMax: number }>;

/**
 * Correlation, credit and deadlines of one stream: pure bookkeeping, time is an argument. Every call that is opened is
 * settled exactly once: by its reply, by its deadline, or by the stream's end.
 */
export class PendingCalls<Reply = Uint8Array> {
  readonly #limits: CreditLimits;
  readonly #pending = new TransientMap<bigint, Pending<Reply>>();
  #byteCount = 0;
  #next = 1n;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
  }

  get callCount(): number {
    return this.#pending.size;
  }

  get byteCount(): number {
    return this.#byteCount;
  }

  /** A correlation id, or undefined when the credit is used up. A first call always has credit, whatever its size. */
  open(byteCount: number, deadline: number, settle: (reply: Reply | undefined) => void): bigint | undefined {
    const full =
      this.#pending.size >= this.#limits.callCountMax || this.#byteCount + byteCount > this.#limits.byteCountMax;
    if (full && this.#pending.size > 0) return undefined;
    const id = this.#next++;
    this.#pending.set(id, { deadline, byteCount, settle });
    this.#byteCount += byteCount;
    return id;
  }

  /** A reply came. One that nobody waits for any more is ignored. */
  settle(id: bigint, reply: Reply | undefined): void {
    const pending = this.#pending.take(id);
    if (pending === undefined) return;
    this.#byteCount -= pending.byteCount;
    assert(this.#byteCount >= 0, "credit is returned once");
    pending.settle(reply);
  }

  /** Gives up the calls whose deadline has passed; returns how many. */
  expire(now: number): number {
    const late = [...this.#pending.keys()].filter((id) => (this.#pending.get(id)?.deadline ?? now + 1) <= now);
    for (const id of late) this.settle(id, undefined);
    return late.length;
  }

  /** The stream ended: nobody will answer. */
  failAll(): void {
    for (const id of [...this.#pending.keys()]) this.settle(id, undefined);
  }
}
