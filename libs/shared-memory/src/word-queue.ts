import { assert, at } from "@drover/core";

/** Words of a queue beside its places. The writer's and the reader's lie in different lines of a processor's cache. */
const [TAIL, ASLEEP, PLACES] = [0, 16, 32];

/**
 * A queue of numbers in shared memory, written by one process and read by one other. Whoever reads says when it goes to sleep, and whoever writes learns
 * that it has to be woken: once, however many numbers follow.
 */
export class WordQueue {
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #capacity: number;
  /** Numbers that this process has written, or read. */
  #count = 0;

  /** `words` are zeros before either process begins. */
  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#words = words;
    this.#capacity = words.length - PLACES;
    // Counts go on at 0 some day, and places have to go on with them.
    assert(this.#capacity > 0 && (this.#capacity & (this.#capacity - 1)) === 0, "a queue's places are a power of two");
  }

  /** Words that a queue of so many places takes, which are a power of two. */
  static wordCount(capacity: number): number {
    return PLACES + capacity;
  }

  /** Writes a number; that there is room, the writer knows: there are no more things to be told of than places. Returns whether the reader is to be woken. */
  push(value: number): boolean {
    this.#words[PLACES + (this.#count % this.#capacity)] = value;
    this.#count = (this.#count + 1) >>> 0;
    Atomics.store(this.#words, TAIL, this.#count);
    return Atomics.load(this.#words, ASLEEP) === 1 && Atomics.exchange(this.#words, ASLEEP, 0) === 1;
  }

  /** The next number; undefined where there is none. */
  take(): number | undefined {
    if (Atomics.load(this.#words, TAIL) === this.#count) return undefined;
    const value = at(this.#words, PLACES + (this.#count % this.#capacity));
    this.#count = (this.#count + 1) >>> 0;
    return value;
  }

  /** The reader goes to sleep. False where something has come: it is to be taken first. */
  sleep(): boolean {
    Atomics.store(this.#words, ASLEEP, 1);
    if (Atomics.load(this.#words, TAIL) === this.#count) return true;
    Atomics.store(this.#words, ASLEEP, 0);
    return false;
  }
}
