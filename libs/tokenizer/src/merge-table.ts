/** Ranks of BPE's merges by the pair of token ids that they join. */
export class MergeTable {
  readonly #stride: number;
  readonly #merges = new Map<number, Readonly<{ rank: number; id: number }>>();

  constructor(vocabSize: number) {
    this.#stride = vocabSize;
  }

  add(left: number, right: number, rank: number, id: number): void {
    this.#merges.set(left * this.#stride + right, { rank, id });
  }

  /** Joins symbols by ascending rank, leftmost first among equals, until no pair is in the table. O(n log n). */
  apply(symbols: readonly number[]): number[] {
    const n = symbols.length;
    if (n < 2) return [...symbols];
    const id = Int32Array.from(symbols);
    const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
    const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
    const heap = new PairHeap();
    const offer = (left: number) => {
      const right = next[left] ?? -1;
      if (right < 0) return;
      const merge = this.#merges.get((id[left] ?? 0) * this.#stride + (id[right] ?? 0));
      if (merge !== undefined)
        heap.push({ rank: merge.rank, left, leftId: id[left] ?? 0, rightId: id[right] ?? 0, id: merge.id });
    };
    for (let i = 0; i < n; i++) offer(i);
    for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
      const right = next[pair.left] ?? -1;
      // A pair is stale when either side was joined since it was offered; a dead symbol has id -1.
      if (id[pair.left] !== pair.leftId || right < 0 || id[right] !== pair.rightId) continue;
      id[pair.left] = pair.id;
      id[right] = -1;
      const after = next[right] ?? -1;
      next[pair.left] = after;
      if (after >= 0) previous[after] = pair.left;
      offer(pair.left);
      const before = previous[pair.left] ?? -1;
      if (before >= 0) offer(before);
    }
    const out: number[] = [];
    for (let i = 0; i >= 0; i = next[i] ?? -1) out.push(id[i] ?? 0);
    return out;
  }
}

type Pair = Readonly<{ rank: number; left: number; leftId: number; rightId: number; id: number }>;

/** A binary heap by (rank, position). */
class PairHeap {
  readonly #items: Pair[] = [];

  push(pair: Pair): void {
    const items = this.#items;
    let at = items.length;
    items.push(pair);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || !before(pair, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = pair;
  }

  pop(): Pair | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = items[child];
      if (below === undefined) break;
      const other = items[child + 1];
      if (other !== undefined && before(other, below)) {
        child += 1;
        below = other;
      }
      if (!before(below, last)) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

function before(a: Pair, b: Pair): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.left < b.left);
}
