/** Slots of a new table; it doubles when three quarters are taken. */
const SLOTS_MIN = 1024;
/** A value with this bit is the index of a set; without it, one more than the only holder's number; 0 is a free slot. */
const SET_BIT = 0x8000_0000;

/**
 * Which workers hold a block: an open-addressed table from the first 8 bytes of a block's hash to numbers of workers, 12 bytes a slot,
 * because there are millions of blocks and most have one holder. Two blocks with equal 8 bytes are taken for one, which costs latency.
 */
export class PrefixHolders {
  #low = new Uint32Array(SLOTS_MIN);
  #high = new Uint32Array(SLOTS_MIN);
  #values = new Uint32Array(SLOTS_MIN);
  #count = 0;
  /** Bit sets by worker number, of blocks with several holders. */
  #sets: Uint32Array[] = [];
  #freeSets: number[] = [];

  /** Blocks with a holder. */
  get size(): number {
    return this.#count;
  }

  /** Where a block is in the table, or -1. Good until the next change. */
  find(low: number, high: number): number {
    const mask = this.#values.length - 1;
    for (let slot = low & mask; this.#values[slot] !== 0; slot = (slot + 1) & mask)
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    return -1;
  }

  /** Whether a worker holds the block at a slot that {@link find} gave. */
  holds(slot: number, worker: number): boolean {
    const value = slot < 0 ? 0 : (this.#values[slot] ?? 0);
    if (value < SET_BIT) return value === worker + 1;
    return (((this.#sets[value - SET_BIT]?.[worker >> 5] ?? 0) >>> (worker & 31)) & 1) === 1;
  }

  /** The holders of the block at a slot, ascending. */
  holders(slot: number): number[] {
    const value = slot < 0 ? 0 : (this.#values[slot] ?? 0);
    if (value === 0) return [];
    return value < SET_BIT ? [value - 1] : membersOf(this.#sets[value - SET_BIT]);
  }

  /** Orders workers [from, to) so that the holders of the block at a slot come last, and says where they begin. */
  partition(slot: number, workers: Uint32Array, from: number, to: number): number {
    const value = slot < 0 ? 0 : (this.#values[slot] ?? 0);
    const set = value < SET_BIT ? undefined : this.#sets[value - SET_BIT];
    let split = from;
    for (let i = from; i < to; i++) {
      const worker = workers[i] ?? 0;
      const holds = set === undefined ? value === worker + 1 : (((set[worker >> 5] ?? 0) >>> (worker & 31)) & 1) === 1;
      if (holds) continue;
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
    const value = this.#values[slot] ?? 0;
    if (value >= SET_BIT) {
      const at = value - SET_BIT;
      this.#sets[at] = withMember(this.#sets[at] ?? new Uint32Array(0), worker);
    } else {
      const set = withMember(withMember(new Uint32Array(0), value - 1), worker);
      const at = this.#freeSets.pop() ?? this.#sets.length;
      this.#sets[at] = set;
      this.#values[slot] = SET_BIT + at;
    }
    return true;
  }

  /** False when the worker did not hold the block. */
  delete(low: number, high: number, worker: number): boolean {
    const slot = this.find(low, high);
    if (!this.holds(slot, worker)) return false;
    this.#removeFrom(slot, worker);
    return true;
  }

  /** Forgets these workers' blocks, at the cost of looking at all there are. */
  purge(workers: ReadonlySet<number>): void {
    const [lows, highs, values, sets] = [this.#low, this.#high, this.#values, this.#sets];
    this.#reset(SLOTS_MIN);
    this.#sets = [];
    this.#freeSets = [];
    for (let slot = 0; slot < values.length; slot++) {
      const value = values[slot] ?? 0;
      const all = value === 0 ? [] : value < SET_BIT ? [value - 1] : membersOf(sets[value - SET_BIT]);
      for (const worker of all) if (!workers.has(worker)) this.add(lows[slot] ?? 0, highs[slot] ?? 0, worker);
    }
  }

  #removeFrom(slot: number, worker: number): void {
    const value = this.#values[slot] ?? 0;
    const set = value < SET_BIT ? undefined : this.#sets[value - SET_BIT];
    if (set === undefined) {
      this.#free(slot);
      return;
    }
    set[worker >> 5] = (set[worker >> 5] ?? 0) & ~(1 << (worker & 31));
    const left = membersOf(set);
    if (left.length > 1) return;
    this.#freeSets.push(value - SET_BIT);
    this.#values[slot] = (left[0] ?? 0) + 1;
  }

  #insert(low: number, high: number, value: number): void {
    if (4 * (this.#count + 1) > 3 * this.#values.length) this.#grow();
    const mask = this.#values.length - 1;
    let slot = low & mask;
    while (this.#values[slot] !== 0) slot = (slot + 1) & mask;
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#values[slot] = value;
    this.#count += 1;
  }

  /** Frees a slot and moves back what had to pass it, so that no search ends too early. */
  #free(slot: number): void {
    const mask = this.#values.length - 1;
    let hole = slot;
    for (let next = (hole + 1) & mask; this.#values[next] !== 0; next = (next + 1) & mask) {
      const home = (this.#low[next] ?? 0) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#low[hole] = this.#low[next] ?? 0;
      this.#high[hole] = this.#high[next] ?? 0;
      this.#values[hole] = this.#values[next] ?? 0;
      hole = next;
    }
    this.#values[hole] = 0;
    this.#count -= 1;
  }

  #grow(): void {
    const [lows, highs, values] = [this.#low, this.#high, this.#values];
    this.#reset(2 * values.length);
    for (let slot = 0; slot < values.length; slot++) {
      const value = values[slot] ?? 0;
      if (value !== 0) this.#insert(lows[slot] ?? 0, highs[slot] ?? 0, value);
    }
  }

  #reset(slotCount: number): void {
    this.#low = new Uint32Array(slotCount);
    this.#high = new Uint32Array(slotCount);
    this.#values = new Uint32Array(slotCount);
    this.#count = 0;
  }
}

function withMember(set: Uint32Array, worker: number): Uint32Array {
  let grown = set;
  if (worker >> 5 >= set.length) {
    grown = new Uint32Array((worker >> 5) + 1);
    grown.set(set);
  }
  grown[worker >> 5] = (grown[worker >> 5] ?? 0) | (1 << (worker & 31));
  return grown;
}

function membersOf(set: Uint32Array | undefined): number[] {
  const members: number[] = [];
  for (const [word, bits] of (set ?? []).entries())
    for (let rest = bits; rest !== 0; rest &= rest - 1) members.push(32 * word + 31 - Math.clz32(rest & -rest));
  return members;
}
