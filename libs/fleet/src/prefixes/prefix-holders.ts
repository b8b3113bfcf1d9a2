/** Slots of a new table; it doubles when three quarters are taken. */
const SLOTS_MIN = 1024;
/** Words of a slot: two of the hash, the value, and one unused, so that a slot is never in two cache lines. */
const SLOT_WORDS = 4;
/** A value with this bit is the index of a set; without it, one more than the only holder's number; 0 is a free slot. */
const SET_BIT = 0x8000_0000;

/**
 * Which workers hold a block: an open-addressed table from the first 8 bytes of a block's hash to numbers of workers, 16 bytes a slot,
 * because there are millions of blocks and most have one holder. Two blocks with equal 8 bytes are taken for one, which costs latency.
 */
export class PrefixHolders {
  #slots = new Uint32Array(SLOTS_MIN * SLOT_WORDS);
  #mask = SLOTS_MIN - 1;
  #count = 0;
  /** Bit sets by worker number, of blocks with several holders: `#setWords` words each, one after the other. */
  #sets = new Uint32Array(0);
  #setWords = 1;
  #setCount = 0;
  #freeSets: number[] = [];

  /** Blocks with a holder. */
  get size(): number {
    return this.#count;
  }

  /** Where a block is in the table, or -1. Good until the next change. */
  find(low: number, high: number): number {
    const slots = this.#slots;
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * SLOT_WORDS;
      if (slots[at + 2] === 0) return -1;
      if (slots[at] === low && slots[at + 1] === high) return slot;
    }
  }

  /** Whether a worker holds the block at a slot that {@link find} gave. */
  holds(slot: number, worker: number): boolean {
    const value = this.#valueAt(slot);
    if (value < SET_BIT) return value === worker + 1;
    if (worker >> 5 >= this.#setWords) return false;
    return (((this.#sets[(value - SET_BIT) * this.#setWords + (worker >> 5)] ?? 0) >>> (worker & 31)) & 1) === 1;
  }

  /** The holders of the block at a slot, ascending. */
  holders(slot: number): number[] {
    const value = this.#valueAt(slot);
    if (value === 0) return [];
    return value < SET_BIT ? [value - 1] : membersOf(this.#setAt(value - SET_BIT));
  }

  /** Orders workers [from, to) so that the holders of the block at a slot come last, and says where they begin. */
  partition(slot: number, workers: Uint32Array, from: number, to: number): number {
    let split = from;
    for (let i = from; i < to; i++) {
      const worker = workers[i] ?? 0;
      if (this.holds(slot, worker)) continue;
      workers[i] = workers[split] ?? 0;
      workers[split] = worker;
      split += 1;
    }
    return split;
  }

  /** False when the worker held the block already. */
  add(low: number, high: number, worker: number): boolean {
    const slot = this.find(low, high);
    if (slot < 0) {
      this.#insert(low, high, worker + 1);
      return true;
    }
    if (this.holds(slot, worker)) return false;
    const value = this.#valueAt(slot);
    if (value >= SET_BIT) {
      this.#join(value - SET_BIT, worker);
      return true;
    }
    const set = this.#newSet();
    this.#join(set, value - 1);
    this.#join(set, worker);
    this.#slots[slot * SLOT_WORDS + 2] = SET_BIT + set;
    return true;
  }

  /** False when the worker did not hold the block. */
  delete(low: number, high: number, worker: number): boolean {
    const slot = this.find(low, high);
    if (!this.holds(slot, worker)) return false;
    const value = this.#valueAt(slot);
    if (value < SET_BIT) {
      this.#free(slot);
      return true;
    }
    const set = this.#setAt(value - SET_BIT);
    set[worker >> 5] = (set[worker >> 5] ?? 0) & ~(1 << (worker & 31));
    const left = membersOf(set);
    if (left.length > 1) return true;
    set.fill(0);
    this.#freeSets.push(value - SET_BIT);
    this.#slots[slot * SLOT_WORDS + 2] = (left[0] ?? 0) + 1;
    return true;
  }

  /** Forgets these workers' blocks, at the cost of looking at all there are. */
  purge(workers: ReadonlySet<number>): void {
    const slots = this.#slots;
    const sets = this.#sets;
    const words = this.#setWords;
    this.#reset(SLOTS_MIN);
    this.#sets = new Uint32Array(0);
    this.#setCount = 0;
    this.#freeSets = [];
    for (let at = 0; at < slots.length; at += SLOT_WORDS) {
      const value = slots[at + 2] ?? 0;
      if (value === 0) continue;
      const first = (value - SET_BIT) * words;
      const all = value < SET_BIT ? [value - 1] : membersOf(sets.subarray(first, first + words));
      for (const worker of all) if (!workers.has(worker)) this.add(slots[at] ?? 0, slots[at + 1] ?? 0, worker);
    }
  }

  #valueAt(slot: number): number {
    return slot < 0 ? 0 : (this.#slots[slot * SLOT_WORDS + 2] ?? 0);
  }

  #setAt(set: number): Uint32Array {
    return this.#sets.subarray(set * this.#setWords, (set + 1) * this.#setWords);
  }

  #newSet(): number {
    const free = this.#freeSets.pop();
    if (free !== undefined) return free;
    if ((this.#setCount + 1) * this.#setWords > this.#sets.length) this.#growSets(this.#setWords);
    this.#setCount += 1;
    return this.#setCount - 1;
  }

  #join(set: number, worker: number): void {
    if (worker >> 5 >= this.#setWords) this.#growSets(Math.max(2 * this.#setWords, (worker >> 5) + 1));
    const at = set * this.#setWords + (worker >> 5);
    this.#sets[at] = (this.#sets[at] ?? 0) | (1 << (worker & 31));
  }

  /** Makes room for one and a half times as many sets of `words` words. */
  #growSets(words: number): void {
    const old = this.#sets;
    const oldWords = this.#setWords;
    this.#sets = new Uint32Array(words * (Math.ceil(1.5 * this.#setCount) + 16));
    this.#setWords = words;
    for (let set = 0; set < this.#setCount; set++)
      this.#sets.set(old.subarray(set * oldWords, (set + 1) * oldWords), set * words);
  }

  #insert(low: number, high: number, value: number): void {
    if (4 * (this.#count + 1) > 3 * (this.#mask + 1)) this.#grow();
    let slot = low & this.#mask;
    while (this.#valueAt(slot) !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot * SLOT_WORDS] = low;
    this.#slots[slot * SLOT_WORDS + 1] = high;
    this.#slots[slot * SLOT_WORDS + 2] = value;
    this.#count += 1;
  }

  /** Frees a slot and moves back what had to pass it, so that no search ends too early. */
  #free(slot: number): void {
    const mask = this.#mask;
    let hole = slot;
    for (let next = (hole + 1) & mask; this.#valueAt(next) !== 0; next = (next + 1) & mask) {
      const home = (this.#slots[next * SLOT_WORDS] ?? 0) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#slots.copyWithin(hole * SLOT_WORDS, next * SLOT_WORDS, (next + 1) * SLOT_WORDS);
      hole = next;
    }
    this.#slots[hole * SLOT_WORDS + 2] = 0;
    this.#count -= 1;
  }

  #grow(): void {
    const slots = this.#slots;
    this.#reset(2 * (this.#mask + 1));
    for (let at = 0; at < slots.length; at += SLOT_WORDS) {
      const value = slots[at + 2] ?? 0;
      if (value !== 0) this.#insert(slots[at] ?? 0, slots[at + 1] ?? 0, value);
    }
  }

  #reset(slotCount: number): void {
    this.#slots = new Uint32Array(slotCount * SLOT_WORDS);
    this.#mask = slotCount - 1;
    this.#count = 0;
  }
}

function membersOf(set: Uint32Array): number[] {
  const members: number[] = [];
  for (const [word, bits] of set.entries())
    for (let rest = bits; rest !== 0; rest &= rest - 1) members.push(32 * word + 31 - Math.clz32(rest & -rest));
  return members;
}
