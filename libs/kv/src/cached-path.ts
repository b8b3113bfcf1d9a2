import type { BlockHashes } from "./block-hashes.ts";
import type { ExtentPool } from "./extent-pool.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type PrefixNode } from "./prefix-node.ts";
import type { PrefixTree } from "./prefix-tree.ts";

/**
 * An extent that one sequence writes, in one segment: position `position` of the sequence is the extent's row
 * `firstRow`.
 */
export type OwnExtent = Readonly<{ extent: Extent; position: number; firstRow: number }>;

type PathContext = Readonly<{ pool: ExtentPool; tree: PrefixTree; now: () => number }>;

/**
 * One sequence's path in the tree: its blocks that are cached, from where its prefixes begin. The path holds its nodes,
 * and grows as the sequence's rows are written.
 */
export class CachedPath {
  readonly #context: PathContext;
  readonly #serial: number;
  /** The last node, which may go on beyond this path. */
  #lastNode: PrefixNode | undefined;
  /** Blocks before it are on the path. */
  #end: number;

  /** Begins as the path to `lastNode`, which ends before block `end`. */
  constructor(context: PathContext, serial: number, lastNode: PrefixNode | undefined, end: number) {
    this.#context = context;
    this.#serial = serial;
    this.#lastNode = lastNode;
    this.#end = end;
    context.tree.hold(lastNode, context.now());
  }

  /** The last node that is held, and with it all before it. */
  get lastNode(): PrefixNode | undefined {
    return this.#lastNode;
  }

  /**
   * Caches whole blocks before `end`, as far as the chain goes, whose rows are the sequence's own. What is cached
   * already, by whomever, stays the only copy. Where another sequence is computing the very same rows and is ahead, it
   * will cache them, and this path ends before them until a call that is `isFinal`: were both to cache what they have,
   * a segment would lie in as many parts.
   */
  extend(hashes: BlockHashes, end: number, isFinal: boolean, ownExtentAt: (position: number) => OwnExtent): void {
    const { tree, now } = this.#context;
    const until = Math.min(end, hashes.blockCount);
    for (; this.#end < until; this.#end++) {
      const key = hashes.key(this.#end);
      if (this.#lastNodeGoesOnWith(key)) continue;
      const known = tree.starting(key);
      if (known !== undefined) {
        tree.holdOne(known);
        this.#lastNode = known;
        continue;
      }
      const position = this.#end * BLOCK_TOKENS;
      const own = ownExtentAt(position);
      if (!isFinal && this.#followsAnother(own)) return;
      this.#lastNode = tree.append(this.#lastNode, {
        block: this.#end,
        key,
        extent: own.extent,
        firstRow: own.firstRow + position - own.position,
        creator: this.#serial,
        now: now(),
      });
    }
  }

  /** The path up to block `end` was found by other sequences too. */
  markReused(end: number): void {
    this.#leaveSplitNodes();
    const { tree } = this.#context;
    // A split leaves the path's end the same object, so the last node is still what is held.
    tree.markReused(tree.cut({ node: this.#lastNode, end }));
  }

  /**
   * Lets go of the path and begins anew before block `next`. What this sequence alone has cached from block `keepEnd`
   * on is forgotten.
   */
  release(keepEnd: number, next: number): void {
    this.#leaveSplitNodes();
    const { tree, pool, now } = this.#context;
    tree.cut({ node: this.#lastNode, end: keepEnd });
    let node = this.#lastNode;
    tree.release(node, now());
    this.#lastNode = undefined;
    this.#end = next;
    while (node !== undefined && node.creator === this.#serial && node.firstBlock >= keepEnd) {
      if (node.reuseCount > 0 || node.holderCount > 0 || node.childCount > 0) break;
      const { parent, extent } = node;
      tree.remove(node);
      pool.settle(extent, 0);
      node = parent;
    }
  }

  /** Whether the last node has the next block too; where it has another one, the path leaves it. */
  #lastNodeGoesOnWith(key: string): boolean {
    this.#leaveSplitNodes();
    const last = this.#lastNode;
    if (last === undefined || endBlockOf(last) <= this.#end) return false;
    if (last.keys[this.#end - last.firstBlock] === key) return true;
    const { tree } = this.#context;
    this.#lastNode = tree.cut({ node: last, end: this.#end });
    tree.releaseOne(last);
    return false;
  }

  /** Another sequence may have split the last node where this path ends: what is behind is not on the path any more. */
  #leaveSplitNodes(): void {
    while (this.#lastNode !== undefined && this.#lastNode.firstBlock >= this.#end) {
      const { parent } = this.#lastNode;
      this.#context.tree.releaseOne(this.#lastNode);
      this.#lastNode = parent;
    }
  }

  /**
   * Whether the path ends where another sequence is computing the same, and will cache the next block when it gets
   * there.
   */
  #followsAnother(own: OwnExtent): boolean {
    const last = this.#lastNode;
    // Its own last segment is full and still its own: then nobody else goes on from there.
    if (last === undefined || last.creator === this.#serial) return false;
    if (last.extent === own.extent || !last.extent.owned) return false;
    return last.extent.nodes.at(-1) === last && last.firstRow + last.rowCount === last.extent.rowCount;
  }
}
