import { assert, at } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import type { CacheEvents } from "./cache-events.ts";
import type { EvictionQueue } from "./eviction/eviction-queue.ts";
import type { ExtentPool } from "./extent-pool.ts";
import type { KvKind } from "./geometry.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type PrefixNode } from "./prefix-node.ts";

/** The end of a match: `end` blocks of a chain are cached, the last of them in `node`, which may go on. */
export type Match = Readonly<{ node: PrefixNode | undefined; end: number }>;

/**
 * A block that is to be cached: its index in the chain, its hash, where its rows are, and which sequence computed it
 * when.
 */
type NewBlock = Readonly<{
  block: number;
  key: string;
  extent: Extent;
  firstRow: number;
  creator: number;
  now: number;
}>;

/**
 * The cached prefixes of one kind, as a tree. Global prefixes begin at position 0, local ones at each chunk's start. A
 * node exists only while all before it exist, so what is cached of a chain is always its beginning. Source: the radix
 * tree of SGLang (Zheng et al., 2023).
 */
export class PrefixTree {
  readonly kind: KvKind;
  readonly #pool: ExtentPool;
  readonly #queue: EvictionQueue;
  readonly #events: CacheEvents;
  /** By the first block's hash, which names the whole prefix up to there. */
  readonly #nodes = new Map<string, PrefixNode>();
  #nextSerial = 1;

  constructor(kind: KvKind, pool: ExtentPool, queue: EvictionQueue, events: CacheEvents) {
    this.kind = kind;
    this.#pool = pool;
    this.#queue = queue;
    this.#events = events;
  }

  get size(): number {
    return this.#nodes.size;
  }

  nodes(): IterableIterator<PrefixNode> {
    return this.#nodes.values();
  }

  /** The node that begins with this block. */
  starting(key: string): PrefixNode | undefined {
    return this.#nodes.get(key);
  }

  /** How far blocks [first, end) of a chain are cached; `first` is where prefixes of this kind begin. */
  match(hashes: BlockHashes, first: number, end: number): Match {
    let found: PrefixNode | undefined;
    let block = first;
    while (block < end) {
      const node = this.#nodes.get(hashes.key(block));
      if (node === undefined) break;
      found = node;
      const until = Math.min(end, endBlockOf(node));
      while (block < until && node.keys[block - node.firstBlock] === hashes.key(block)) block += 1;
      if (block < endBlockOf(node)) break;
    }
    return { node: found, end: block };
  }

  /** The node that ends exactly where the match does: a longer one is split there. */
  cut({ node, end }: Match): PrefixNode | undefined {
    let last = node;
    while (last !== undefined && last.firstBlock >= end) last = last.parent;
    if (last === undefined || endBlockOf(last) <= end) return last;
    return this.#split(last, end - last.firstBlock);
  }

  /** Holds a node and all before it. */
  hold(node: PrefixNode | undefined, now: number): void {
    for (let each = node; each !== undefined; each = each.parent) {
      each.usedAt = now;
      this.holdOne(each);
    }
  }

  /** Lets go of a node and all before it, which were in use until now. */
  release(node: PrefixNode | undefined, now: number): void {
    for (let each = node; each !== undefined; each = each.parent) {
      each.usedAt = now;
      this.releaseOne(each);
    }
  }

  /** A node and all before it were found by another sequence than their creator; they are held. */
  markReused(node: PrefixNode | undefined): void {
    for (let each = node; each !== undefined; each = each.parent) each.reuseCount += 1;
  }

  /** Holds one node whose parent is held already. */
  holdOne(node: PrefixNode): void {
    if (node.queued !== undefined) this.#queue.delete(node);
    node.holderCount += 1;
    if (node.holderCount === 1) this.#pool.recount(node.extent);
  }

  releaseOne(node: PrefixNode): void {
    node.holderCount -= 1;
    assert(node.holderCount >= 0, "a node is released as often as it is held");
    if (node.holderCount > 0) return;
    this.#pool.recount(node.extent);
    if (node.childCount === 0) this.#queue.add(node);
  }

  /**
   * Caches one more block after `parent` (none: where prefixes begin); the caller holds the parent's path and from now
   * on the new block's too. Returns the node that now ends with it.
   */
  append(parent: PrefixNode | undefined, { block, key, extent, firstRow, creator, now }: NewBlock): PrefixNode {
    this.#events.record("added", this.kind, [key]);
    if (parent !== undefined && isTail(parent, extent, firstRow, creator)) {
      parent.keys.push(key);
      parent.rowCount += BLOCK_TOKENS;
      return parent;
    }
    const node: PrefixNode = {
      serial: this.#nextSerial++,
      kind: this.kind,
      creator,
      extent,
      firstRow,
      rowCount: BLOCK_TOKENS,
      firstBlock: block,
      keys: [key],
      parent,
      childCount: 0,
      holderCount: 1,
      usedAt: now,
      reuseCount: 0,
      queued: undefined,
    };
    if (parent !== undefined) parent.childCount += 1;
    this.#nodes.set(key, node);
    extent.nodes.push(node);
    this.#pool.recount(extent);
    return node;
  }

  /** Forgets a node that nobody holds and that nothing follows. Its extent is to be settled by the caller. */
  remove(node: PrefixNode): void {
    assert(node.holderCount === 0 && node.childCount === 0, "only the unheld end of a prefix is evicted");
    if (node.queued !== undefined) this.#queue.delete(node);
    this.#events.record("removed", this.kind, node.keys);
    this.#nodes.delete(at(node.keys, 0));
    const { nodes } = node.extent;
    assert(nodes.at(-1) === node, "the end of a prefix is the last node in its extent");
    nodes.pop();
    const { parent } = node;
    if (parent === undefined) return;
    parent.childCount -= 1;
    if (parent.childCount === 0 && parent.holderCount === 0) this.#queue.add(parent);
  }

  /**
   * Moves a node to the end of an extent that has its rows already. The extent that it leaves is to be settled by the
   * caller.
   */
  move(node: PrefixNode, extent: Extent, firstRow: number): void {
    const from = node.extent;
    from.nodes.splice(from.nodes.indexOf(node), 1);
    node.extent = extent;
    node.firstRow = firstRow;
    extent.nodes.push(node);
    this.#pool.recount(from);
    this.#pool.moveCount += 1;
  }

  /**
   * The first blocks become a node of their own before the rest, which stays the same object: who ends there still
   * does.
   */
  #split(tail: PrefixNode, blockCount: number): PrefixNode {
    const queued = tail.queued !== undefined;
    if (queued) this.#queue.delete(tail);
    const rows = blockCount * BLOCK_TOKENS;
    const head: PrefixNode = {
      ...tail,
      serial: this.#nextSerial++,
      keys: tail.keys.slice(0, blockCount),
      rowCount: rows,
      childCount: 1,
    };
    tail.keys = tail.keys.slice(blockCount);
    tail.firstBlock += blockCount;
    tail.firstRow += rows;
    tail.rowCount -= rows;
    tail.parent = head;
    this.#nodes.set(at(head.keys, 0), head);
    this.#nodes.set(at(tail.keys, 0), tail);
    const { nodes } = tail.extent;
    nodes.splice(nodes.indexOf(tail), 0, head);
    if (queued) this.#queue.add(tail);
    return head;
  }
}

/** Whether a block at row `firstRow` simply continues `node`, for nobody but its creator. */
function isTail(node: PrefixNode, extent: Extent, firstRow: number, creator: number): boolean {
  const follows = node.extent === extent && node.firstRow + node.rowCount === firstRow;
  return follows && node.creator === creator && node.holderCount === 1 && node.childCount === 0;
}
