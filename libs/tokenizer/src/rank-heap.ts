/** A position has 32 bits, so that a rank and a position are one double. */
const POSITIONS = 2 ** 32;

/** A binary heap by (rank, position). What was looked at or popped last is in `rank` and `position`. */
export class RankHeap {
  rank = 0;
  position = 0;
  #keys: Float64Array;
  #count = 0;

  constructor(room: number) {
    this.#keys = new Float64Array(Math.max(16, room));
  }

  push(rank: number, position: number): void {
    if (this.#count === this.#keys.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    const keys = this.#keys;
    const key = rank * POSITIONS + position;
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  /** Looks at the least; false when there is none. */
  peek(): boolean {
    if (this.#count === 0) return false;
    const top = this.#keys[0] ?? 0;
    this.rank = Math.floor(top / POSITIONS);
    this.position = top - this.rank * POSITIONS;
    return true;
  }

  /** Takes the least; false when there is none. */
  pop(): boolean {
    if (!this.peek()) return false;
    const keys = this.#keys;
    const count = --this.#count;
    const last = keys[count] ?? 0;
    let at = 0;
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++;
      if ((keys[child] ?? 0) >= last) break;
      keys[at] = keys[child] ?? 0;
      at = child;
    }
    keys[at] = last;
    return true;
  }
}
