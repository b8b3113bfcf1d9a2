import { assert } from "@drover/core";

/** Values of a slot: left id, right id, rank, id of both together. A left id of -1 is an empty slot. */
const STRIDE = 4;

/** BPE's merges by the pair of ids that they join: a hash table in memory that threads can share. */
export class BytePairTable {
  readonly slots: Int32Array<SharedArrayBuffer>;
  readonly #mask: number;

  private constructor(slots: Int32Array<SharedArrayBuffer>) {
    this.slots = slots;
    this.#mask = slots.length / STRIDE - 1;
  }

  /** An empty table with room for so many pairs. */
  static withRoom(pairCount: number): BytePairTable {
    const slotCount = 2 ** Math.ceil(Math.log2(Math.max(2, pairCount * 1.6)));
    const slots = new Int32Array(new SharedArrayBuffer(slotCount * STRIDE * Int32Array.BYTES_PER_ELEMENT));
    return new BytePairTable(slots.fill(-1));
  }

  /** The table in another thread's memory. */
  static over(slots: Int32Array<SharedArrayBuffer>): BytePairTable {
    return new BytePairTable(slots);
  }

  /** A pair that is there already takes the new rank and id. */
  add(left: number, right: number, rank: number, id: number): void {
    const { slots } = this;
    for (let probe = 0, at = this.#home(left, right); probe <= this.#mask; probe++, at = (at + 1) & this.#mask) {
      const slot = at * STRIDE;
      if (slots[slot] !== -1 && (slots[slot] !== left || slots[slot + 1] !== right)) continue;
      slots[slot] = left;
      slots[slot + 1] = right;
      slots[slot + 2] = rank;
      slots[slot + 3] = id;
      return;
    }
    assert(false, "a table of merges has the room that it was asked for");
  }

  /** Where the pair's rank lies in `slots`, and its id after it; -1 for a pair that is never joined. */
  find(left: number, right: number): number {
    const { slots } = this;
    for (let at = this.#home(left, right); ; at = (at + 1) & this.#mask) {
      const slot = at * STRIDE;
      const found = slots[slot];
      if (found === left && slots[slot + 1] === right) return slot + 2;
      if (found === -1) return -1;
    }
  }

  #home(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }
}
