import type { BlockHashes } from "./block-hashes.ts";
import type { ExtentPool } from "./extent-pool.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type Span } from "./span.ts";
import type { SpanTree } from "./span-tree.ts";

/** Rows of a sequence's own in one segment: position `position` is row `row` of the extent. */
export type OwnRun = Readonly<{ extent: Extent; position: number; row: number }>;

type PathContext = Readonly<{ pool: ExtentPool; tree: SpanTree; now: () => number }>;

/** The blocks of one sequence that are cached, from where its prefixes begin: it holds them, and adds to them as its rows are written. */
export class CachedPath {
  readonly #context: PathContext;
  readonly #serial: number;
  /** The last span; it may go on beyond this path. */
  #tip: Span | undefined;
  /** Blocks before it are on the path. */
  #end: number;

  /** Begins as the path to `tip`, which ends before block `end`. */
  constructor(context: PathContext, serial: number, tip: Span | undefined, end: number) {
    this.#context = context;
    this.#serial = serial;
    this.#tip = tip;
    this.#end = end;
    context.tree.hold(tip, context.now());
  }

  /** The last span that is held. */
  get tip(): Span | undefined {
    return this.#tip;
  }

  /**
   * Caches whole blocks before `end`, as far as the chain goes, whose rows are the sequence's own. What is cached already, by whomever,
   * stays the only one; what another sequence is about to cache is left to it until the `last` call.
   */
  extend(hashes: BlockHashes, end: number, last: boolean, ownRunAt: (position: number) => OwnRun): void {
    const { tree, now } = this.#context;
    const until = Math.min(end, hashes.blockCount);
    for (; this.#end < until; this.#end++) {
      const key = hashes.key(this.#end);
      if (this.#tipContinuesWith(key)) continue;
      const known = tree.starting(key);
      if (known !== undefined) {
        tree.holdOne(known);
        this.#tip = known;
        continue;
      }
      const position = this.#end * BLOCK_TOKENS;
      const run = ownRunAt(position);
      if (!last && this.#follows(run)) return;
      const row = run.row + position - run.position;
      this.#tip = tree.append(this.#tip, this.#end, key, run.extent, row, this.#serial, now());
    }
  }

  /** The sequence's path so far has been found by others too, up to a block. */
  markReused(end: number): void {
    this.#stepBack();
    const { tree } = this.#context;
    // A split leaves the path's end the same object, so the tip is still what is held.
    tree.markReused(tree.cut({ span: this.#tip, end }));
  }

  /** Lets go of the path and begins anew before block `next`. What this sequence alone has cached from block `keepEnd` on is forgotten. */
  release(keepEnd: number, next: number): void {
    this.#stepBack();
    const { tree, pool, now } = this.#context;
    tree.cut({ span: this.#tip, end: keepEnd });
    let span = this.#tip;
    tree.release(span, now());
    this.#tip = undefined;
    this.#end = next;
    while (span !== undefined && span.creator === this.#serial && span.firstBlock >= keepEnd) {
      if (span.reused || span.holderCount > 0 || span.childCount > 0) break;
      const { parent, extent } = span;
      tree.remove(span);
      pool.settle(extent, 0);
      span = parent;
    }
  }

  /** Whether the tip has the next block too; where it has another one, the path leaves it. */
  #tipContinuesWith(key: string): boolean {
    this.#stepBack();
    const tip = this.#tip;
    if (tip === undefined || endBlockOf(tip) <= this.#end) return false;
    if (tip.keys[this.#end - tip.firstBlock] === key) return true;
    const { tree } = this.#context;
    this.#tip = tree.cut({ span: tip, end: this.#end });
    tree.releaseOne(tip);
    return false;
  }

  /** Another sequence's split may have cut the tip where this path ends: the rest is not on the path any more. */
  #stepBack(): void {
    while (this.#tip !== undefined && this.#tip.firstBlock >= this.#end) {
      const { parent } = this.#tip;
      this.#context.tree.releaseOne(this.#tip);
      this.#tip = parent;
    }
  }

  /**
   * Whether the path ends where another sequence is computing the same: it will cache the next block when it gets there. Were both to take
   * turns, a segment would be in as many parts.
   */
  #follows(run: OwnRun): boolean {
    const tip = this.#tip;
    // Its own last segment is full and still its own: then nobody else goes on from there.
    if (tip === undefined || tip.creator === this.#serial) return false;
    if (tip.extent === run.extent || !tip.extent.owned) return false;
    return tip.extent.spans.at(-1) === tip && tip.row + tip.rowCount === tip.extent.rowCount;
  }
}
