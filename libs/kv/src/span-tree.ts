import { assert } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import type { CacheEvents } from "./cache-events.ts";
import type { EvictionQueue } from "./eviction/eviction-queue.ts";
import type { ExtentPool } from "./extent-pool.ts";
import type { KvKind } from "./kv-store.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type Span } from "./span.ts";

/** A place in the tree: `end` blocks of a chain are cached, the last of them in `span`, which may go on. */
export type Match = Readonly<{ span: Span | undefined; end: number }>;

/**
 * The cached prefixes of one kind, as a tree of spans. Global prefixes begin at position 0, local ones at each chunk's start. A span exists
 * only while all before it exist, so what is cached of a chain is always its beginning.
 */
export class SpanTree {
  readonly kind: KvKind;
  readonly #pool: ExtentPool;
  readonly #queue: EvictionQueue;
  readonly #events: CacheEvents;
  /** By the first block's hash, which names the whole prefix up to there. */
  readonly #spans = new Map<string, Span>();
  #nextSerial = 1;

  constructor(kind: KvKind, pool: ExtentPool, queue: EvictionQueue, events: CacheEvents) {
    this.kind = kind;
    this.#pool = pool;
    this.#queue = queue;
    this.#events = events;
  }

  get size(): number {
    return this.#spans.size;
  }

  spans(): IterableIterator<Span> {
    return this.#spans.values();
  }

  /** The span that begins with this block. */
  starting(key: string): Span | undefined {
    return this.#spans.get(key);
  }

  /** How far blocks [first, end) of a chain are cached; `first` is where prefixes of this kind begin. */
  match(hashes: BlockHashes, first: number, end: number): Match {
    let found: Span | undefined;
    let block = first;
    while (block < end) {
      const span = this.#spans.get(hashes.key(block));
      if (span === undefined) break;
      found = span;
      const until = Math.min(end, endBlockOf(span));
      while (block < until && span.keys[block - span.firstBlock] === hashes.key(block)) block += 1;
      if (block < endBlockOf(span)) break;
    }
    return { span: found, end: block };
  }

  /** The span that ends exactly where the match does: a longer one is split there. */
  cut({ span, end }: Match): Span | undefined {
    let last = span;
    while (last !== undefined && last.firstBlock >= end) last = last.parent;
    if (last === undefined || endBlockOf(last) <= end) return last;
    return this.#split(last, end - last.firstBlock);
  }

  /** Holds a span and all before it. */
  hold(span: Span | undefined, now: number): void {
    for (let each = span; each !== undefined; each = each.parent) {
      each.usedAt = now;
      this.holdOne(each);
    }
  }

  /** Lets go of a span and all before it, which were in use until now. */
  release(span: Span | undefined, now: number): void {
    for (let each = span; each !== undefined; each = each.parent) {
      each.usedAt = now;
      this.releaseOne(each);
    }
  }

  /** A span and all before it were found by another sequence than their creator; they are held. */
  markReused(span: Span | undefined): void {
    for (let each = span; each !== undefined; each = each.parent) each.reused = true;
  }

  /** Holds one span whose parent is held already. */
  holdOne(span: Span): void {
    if (span.queueIndex >= 0) this.#queue.delete(span);
    span.holderCount += 1;
    if (span.holderCount === 1) this.#pool.recount(span.extent);
  }

  releaseOne(span: Span): void {
    span.holderCount -= 1;
    assert(span.holderCount >= 0, "a span is released as often as it is held");
    if (span.holderCount > 0) return;
    this.#pool.recount(span.extent);
    if (span.childCount === 0) this.#queue.add(span);
  }

  /**
   * Caches one more block after `parent` (none: where prefixes begin), whose rows are in `extent` from `row` on; the caller holds the
   * parent's path and from now on the new block's too. Returns the span that now ends with it.
   */
  append(
    parent: Span | undefined,
    block: number,
    key: string,
    extent: Extent,
    row: number,
    creator: number,
    now: number,
  ) {
    this.#events.record("added", this.kind, [key]);
    if (parent !== undefined && isTail(parent, extent, row, creator)) {
      parent.keys.push(key);
      parent.rowCount += BLOCK_TOKENS;
      return parent;
    }
    const span: Span = {
      serial: this.#nextSerial++,
      kind: this.kind,
      creator,
      extent,
      row,
      rowCount: BLOCK_TOKENS,
      firstBlock: block,
      keys: [key],
      parent,
      childCount: 0,
      holderCount: 1,
      usedAt: now,
      reused: false,
      queueIndex: -1,
    };
    if (parent !== undefined) parent.childCount += 1;
    this.#spans.set(key, span);
    extent.spans.push(span);
    this.#pool.recount(extent);
    return span;
  }

  /** Forgets a span that nobody holds and that nothing follows. Its extent is to be settled by the caller. */
  remove(span: Span): void {
    assert(span.holderCount === 0 && span.childCount === 0, "only the unheld end of a prefix is evicted");
    if (span.queueIndex >= 0) this.#queue.delete(span);
    this.#events.record("removed", this.kind, span.keys);
    this.#spans.delete(span.keys[0] ?? "");
    const { spans } = span.extent;
    assert(spans.at(-1) === span, "the end of a prefix is the last run in its extent");
    spans.pop();
    const { parent } = span;
    if (parent === undefined) return;
    parent.childCount -= 1;
    if (parent.childCount === 0 && parent.holderCount === 0) this.#queue.add(parent);
  }

  /** Moves a span to the end of an extent that has its rows already. The extent that it leaves is to be settled by the caller. */
  move(span: Span, extent: Extent, row: number): void {
    const from = span.extent;
    from.spans.splice(from.spans.indexOf(span), 1);
    span.extent = extent;
    span.row = row;
    extent.spans.push(span);
    this.#pool.recount(from);
    this.#pool.moveCount += 1;
  }

  /** The first blocks become a span of their own before the rest, which stays the same object: who ends there still does. */
  #split(tail: Span, blockCount: number): Span {
    const queued = tail.queueIndex >= 0;
    if (queued) this.#queue.delete(tail);
    const rows = blockCount * BLOCK_TOKENS;
    const head: Span = {
      ...tail,
      serial: this.#nextSerial++,
      keys: tail.keys.slice(0, blockCount),
      rowCount: rows,
      childCount: 1,
    };
    tail.keys = tail.keys.slice(blockCount);
    tail.firstBlock += blockCount;
    tail.row += rows;
    tail.rowCount -= rows;
    tail.parent = head;
    this.#spans.set(head.keys[0] ?? "", head);
    this.#spans.set(tail.keys[0] ?? "", tail);
    const { spans } = tail.extent;
    spans.splice(spans.indexOf(tail), 0, head);
    if (queued) this.#queue.add(tail);
    return head;
  }
}

/** Whether a block at `row` simply continues `span`, for nobody but its creator. */
function isTail(span: Span, extent: Extent, row: number, creator: number): boolean {
  const follows = span.extent === extent && span.row + span.rowCount === row;
  return follows && span.creator === creator && span.holderCount === 1 && span.childCount === 0;
}
