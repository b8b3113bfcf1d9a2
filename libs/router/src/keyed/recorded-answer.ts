import { DroverError, untilAborted } from "@drover/core";
import { KEYED_ANSWER_BYTES_MAX, KEYED_UNREAD_BYTES_MAX, UNREAD_SHARE_BYTES } from "../limits.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";

/** Where a reader is; one that is too far behind is cut off. */
type Position = { next: number; isCut: boolean };

/**
 * An answer while it is made, in parts that are read from any of them on, by several readers. Parts are kept up to `KEYED_ANSWER_BYTES_MAX`; beyond
 * that those that all readers have read are dropped, and nobody may begin at the first one any more. A reader with more than `KEYED_UNREAD_BYTES_MAX`
 * before it is cut off: what is held for it is no more than that. What it holds counts in a budget while it is made or read; where that is used up, it
 * is as one that is too large, and a reader is cut off by its share.
 */
export class RecordedAnswer {
  readonly #budget: MemoryBudget;
  readonly #parts: string[] = [];
  readonly #positions = new Set<Position>();
  #dropped = 0;
  /** Of the parts that are held. */
  #heldByteCount = 0;
  #byteCount = 0;
  #changed = Promise.withResolvers<void>();
  #fault: unknown;
  #isOver = false;
  #isBegun = false;
  /** Bytes of the budget that it has now. */
  #counted = 0;
  #hasDropped = false;

  /** Without a budget it has one of its own. */
  constructor(budget = new MemoryBudget("answers", Number.POSITIVE_INFINITY)) {
    this.#budget = budget;
  }

  /** How many read it now. */
  get readerCount(): number {
    return this.#positions.size;
  }

  /** All of it, where nothing had to be dropped. */
  get whole(): readonly string[] | undefined {
    return this.#hasDropped || this.#byteCount > KEYED_ANSWER_BYTES_MAX ? undefined : this.#parts;
  }

  /** How many parts it has so far, with those that were dropped. */
  get partCount(): number {
    return this.#dropped + this.#parts.length;
  }

  /** Bytes of the parts that it holds now. */
  get heldByteCount(): number {
    return this.#heldByteCount;
  }

  push(part: string): void {
    const byteCount = Buffer.byteLength(part);
    this.#parts.push(part);
    this.#byteCount += byteCount;
    this.#heldByteCount += byteCount;
    this.#recount();
    if (this.#byteCount > KEYED_ANSWER_BYTES_MAX || this.#isCrowded) this.#drop();
    this.#tell();
  }

  /** What was there before is there: what is not yet, no client has. */
  begin(): void {
    this.#isBegun = true;
    this.#tell();
  }

  /**
   * Whether there is a part that its event's id is of, at the number that the id begins with; waits for it where what was there before is not there yet.
   * Errors: that of `end`; the signal's reason.
   */
  async hasPart(eventId: string, signal: AbortSignal): Promise<boolean> {
    const index = Number.parseInt(eventId, 10);
    for (;;) {
      const part = this.#parts[index - this.#dropped];
      if (part !== undefined) return part.startsWith(`id: ${eventId}\n`);
      if (this.#isOver && this.#fault !== undefined) throw this.#fault;
      if (this.#isBegun || this.#isOver || index < this.#dropped) return false;
      await untilAborted(this.#changed.promise, signal);
    }
  }

  /** Nothing more comes; with a fault, its readers end with it behind what there is. */
  end(fault?: unknown): void {
    this.#isOver = true;
    this.#fault = fault;
    this.#recount();
    this.#tell();
  }

  /** The parts from `first` on, those that are still to come too. Errors: that of `end`; `cancelled` for who reads too slowly; the signal's reason. */
  async *read(first: number, signal: AbortSignal): AsyncGenerator<string> {
    const position: Position = { next: Math.max(first, this.#dropped), isCut: false };
    this.#positions.add(position);
    this.#recount();
    try {
      for (;;) {
        signal.throwIfAborted();
        if (position.isCut) throw new DroverError("cancelled", "the client reads too slowly");
        const part = this.#parts[position.next - this.#dropped];
        if (part !== undefined) {
          position.next++;
          yield part;
        }
        // Not a race with one promise for all of them, which would keep each wait until the end.
        else if (!this.#isOver) await untilAborted(this.#changed.promise, signal);
        else if (this.#fault === undefined) return;
        else throw this.#fault;
      }
    } finally {
      this.#positions.delete(position);
      this.#recount();
    }
  }

  /** The budget is used up. */
  get #isCrowded(): boolean {
    return this.#budget.byteCount > this.#budget.bytesMax;
  }

  /** Counts what it holds, while it is made or read. */
  #recount(): void {
    const now = this.#isOver && this.#positions.size === 0 ? 0 : this.#heldByteCount;
    if (now > this.#counted) this.#budget.owe(now - this.#counted);
    else this.#budget.give(this.#counted - now);
    this.#counted = now;
  }

  #drop(): void {
    this.#dropRead();
    // Who has one part to read is not slow: a whole answer comes as one.
    if (this.#parts.length <= 1) return;
    if (this.#heldByteCount <= (this.#isCrowded ? UNREAD_SHARE_BYTES : KEYED_UNREAD_BYTES_MAX)) return;
    const slowest = this.#dropped;
    for (const position of this.#positions)
      if (position.next === slowest) {
        position.isCut = true;
        this.#positions.delete(position);
      }
    this.#dropRead();
  }

  /** Lets go of what all readers have read. */
  #dropRead(): void {
    const least = Math.min(...[...this.#positions].map(({ next }) => next), this.partCount);
    for (const part of this.#parts.splice(0, least - this.#dropped)) this.#heldByteCount -= Buffer.byteLength(part);
    this.#hasDropped ||= least > this.#dropped;
    this.#dropped = least;
    this.#recount();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
