import type { BytePairTable } from "./byte-pair-table.ts";
import { SCANNED_SYMBOLS_MAX } from "./limits.ts";
import { RankQueue } from "./rank-queue.ts";
import type { TokenBuffer } from "./token-buffer.ts";

const NEVER = 0x7fffffff;

/** Joins symbols by ascending rank, leftmost first among equals, until no pair is in the table. Keeps its scratch: one for each thread. */
export class BytePairMerger {
  readonly #table: BytePairTable;
  readonly #ids = new Int32Array(SCANNED_SYMBOLS_MAX + 1);
  /** Rank of the pair that begins at a symbol. */
  readonly #ranks = new Int32Array(SCANNED_SYMBOLS_MAX + 1);

  constructor(table: BytePairTable) {
    this.#table = table;
  }

  /** Appends the ids of `symbols[0, count)` after all merges, and spoils the symbols. O(n log n). */
  merge(symbols: Int32Array, count: number, out: TokenBuffer): void {
    if (count <= SCANNED_SYMBOLS_MAX) this.#scan(symbols, count, out);
    else this.#climb(symbols, count, out);
  }

  /** Few symbols: looks through all pairs for the least rank each time. */
  #scan(symbols: Int32Array, count: number, out: TokenBuffer): void {
    const ids = this.#ids;
    const ranks = this.#ranks;
    const { slots } = this.#table;
    let n = count;
    for (let i = 0; i < n; i++) ids[i] = symbols[i] ?? 0;
    for (let i = 0; i + 1 < n; i++) ranks[i] = this.#rank(ids[i] ?? 0, ids[i + 1] ?? 0);
    for (;;) {
      let least = NEVER;
      let at = -1;
      for (let i = 0; i + 1 < n; i++) {
        const rank = ranks[i] ?? NEVER;
        if (rank < least) {
          least = rank;
          at = i;
        }
      }
      if (at < 0) break;
      ids[at] = slots[this.#table.find(ids[at] ?? 0, ids[at + 1] ?? 0) + 1] ?? 0;
      n--;
      ids.copyWithin(at + 1, at + 2, n + 1);
      ranks.copyWithin(at + 1, at + 2, n);
      if (at + 1 < n) ranks[at] = this.#rank(ids[at] ?? 0, ids[at + 1] ?? 0);
      if (at > 0) ranks[at - 1] = this.#rank(ids[at - 1] ?? 0, ids[at] ?? 0);
    }
    for (let i = 0; i < n; i++) out.push(ids[i] ?? 0);
  }

  /** Many symbols: a queue of pairs, in which a pair is stale when its symbol's rank has changed since. */
  #climb(symbols: Int32Array, count: number, out: TokenBuffer): void {
    const ids = symbols;
    const ranks = new Int32Array(count);
    const next = new Int32Array(count);
    const previous = new Int32Array(count);
    const pairs = new RankQueue();
    const offer = (left: number): void => {
      const right = next[left] ?? count;
      const rank = right < count ? this.#rank(ids[left] ?? 0, ids[right] ?? 0) : NEVER;
      ranks[left] = rank;
      if (rank !== NEVER) pairs.push(rank, left);
    };
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    for (let i = 0; i < count; i++) offer(i);
    while (pairs.pop()) {
      const left = pairs.position;
      if (ranks[left] !== pairs.rank) continue;
      const right = next[left] ?? count;
      ids[left] = this.#table.slots[this.#table.find(ids[left] ?? 0, ids[right] ?? 0) + 1] ?? 0;
      ranks[right] = NEVER;
      const after = next[right] ?? count;
      next[left] = after;
      if (after < count) previous[after] = left;
      offer(left);
      const before = previous[left] ?? -1;
      if (before >= 0) offer(before);
    }
    for (let i = 0; i < count; i = next[i] ?? count) out.push(ids[i] ?? 0);
  }

  #rank(left: number, right: number): number {
    const at = this.#table.find(left, right);
    return at < 0 ? NEVER : (this.#table.slots[at] ?? NEVER);
  }
}
