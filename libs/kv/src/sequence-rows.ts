import { assert, at } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import { CachedPath, type OwnExtent } from "./cached-path.ts";
import type { ExtentPool } from "./extent-pool.ts";
import type { KvKind } from "./geometry.ts";
import { compactPath } from "./kv-compaction.ts";
import { appendPart, type KvPart, partsOnPath } from "./kv-parts.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type PrefixNode } from "./prefix-node.ts";
import type { PrefixTree } from "./prefix-tree.ts";

/** What all sequences of a cache have in common, for one kind. */
export type RowsContext = Readonly<{
  kind: KvKind;
  pool: ExtentPool;
  tree: PrefixTree;
  segmentRows: number;
  shareRowsMin: number;
  segmentPartsMax: number;
  freeBytes: () => number;
  now: () => number;
}>;

/**
 * An extent that must grow, or (undefined) be made, so that it has `rowCount` rows; the first of them stands at
 * `position`.
 */
type Growth = Readonly<{ own: OwnExtent | undefined; position: number; rowCount: number }>;

/**
 * One sequence's rows of one kind: first shared ones, which were cached when it was opened, then its own, which enter
 * the cache block by block.
 *
 *     position      0                        #ownFrom    #writeFrom                end
 *     shared rows   [-----------------------------------)
 *     own extents                            [ copied   )[ written by this sequence )
 */
export class SequenceRows {
  readonly #context: RowsContext;
  /** Ends the path whose rows are shared. */
  #shared: PrefixNode | undefined;
  /** First position whose rows are written by this sequence. */
  #writeFrom: number;
  /** First position that its own extents hold: before #writeFrom where few shared rows are copied. */
  #ownFrom: number;
  /** One for each segment, of segments that follow each other. */
  readonly #own: OwnExtent[] = [];
  readonly #path: CachedPath;
  #sharedParts: ReadonlyMap<number, readonly KvPart[]> | undefined;
  #moveCount = 0;

  /** `shared` is the last node before `writeFrom`; its path is held until the sequence's end. */
  constructor(context: RowsContext, serial: number, shared: PrefixNode | undefined, writeFrom: number) {
    this.#context = context;
    this.#shared = shared;
    this.#writeFrom = writeFrom;
    this.#ownFrom = writeFrom;
    this.#path = new CachedPath(context, serial, shared, Math.floor(writeFrom / BLOCK_TOKENS));
    compactPath(context, this.#sharedNodes(0));
    this.#beginOwn();
  }

  /** Positions before it have their rows already, and are not written. */
  get writeFrom(): number {
    return this.#writeFrom;
  }

  /** The last node that is held in the tree. */
  get lastNode(): PrefixNode | undefined {
    return this.#path.lastNode;
  }

  get ownExtents(): readonly Extent[] {
    return this.#own.map(({ extent }) => extent);
  }

  /** Bytes to allocate before rows up to position `end` can be written. */
  bytesNeeded(end: number): number {
    // Most steps add a row to a segment that has room for it.
    if (this.#hasRoom(end)) return 0;
    const { pool, kind } = this.#context;
    let bytes = 0;
    for (const { own, rowCount } of this.#growthUntil(end))
      bytes += pool.bytesOf(kind, pool.capacityFor(kind, rowCount) - (own?.extent.capacity ?? 0));
    return bytes;
  }

  /** Allocates what {@link bytesNeeded} counts. */
  grow(end: number): void {
    const { pool, kind } = this.#context;
    for (const { own, position, rowCount } of [...this.#growthUntil(end)]) {
      const capacity = pool.capacityFor(kind, rowCount);
      if (own !== undefined) pool.resize(own.extent, capacity);
      else {
        const extent = pool.allocate(kind, capacity);
        if (position < this.#writeFrom) this.#copyShared(extent, position);
        this.#own.push({ extent, position, firstRow: 0 });
      }
    }
  }

  /** Rows before position `length` are written for good. */
  commit(length: number): void {
    if (length <= this.#writeFrom) return;
    for (let i = this.#own.length - 1; i >= 0; i--) {
      const { extent, position, firstRow } = at(this.#own, i);
      if (position >= length) continue;
      const rowCount = firstRow + Math.min(length, this.#segmentEnd(position)) - position;
      if (extent.rowCount >= rowCount) return;
      extent.rowCount = rowCount;
    }
  }

  /** Caches whole blocks before `end`: see {@link CachedPath.extend}. */
  publish(hashes: BlockHashes, end: number, isFinal: boolean): void {
    this.#path.extend(hashes, end, isFinal, (position) => {
      const own = this.#own.findLast((each) => each.position <= position);
      assert(own !== undefined, "what is not cached is the sequence's own");
      return own;
    });
  }

  /** The parts of a segment up to position `end`, ascending; together every row that attention sees there. */
  parts(segment: number, end: number): KvPart[] {
    const { segmentRows } = this.#context;
    const last = Math.min(end, (segment + 1) * segmentRows);
    const own = this.#ownOf(segment);
    const sharedEnd = Math.min(last, own?.position ?? last);
    const parts: KvPart[] = [];
    for (const part of this.#sharedPartsOf(segment))
      if (part.position < sharedEnd)
        appendPart(parts, { ...part, rowCount: Math.min(part.rowCount, sharedEnd - part.position) });
    if (own !== undefined && own.position < last) {
      const { extent, firstRow, position } = own;
      appendPart(parts, { extent: extent.id, firstRow, rowCount: last - position, position });
    }
    return parts;
  }

  /**
   * Chunked layers lose everything before the boundary. Of what they lose, blocks before `keepEnd` stay cached, and
   * those before `reusedEnd` as what was found again.
   */
  dropBefore(boundary: number, keepEnd: number, reusedEnd: number): void {
    this.#path.markReused(reusedEnd);
    this.#path.release(keepEnd, boundary / BLOCK_TOKENS);
    this.#leaveShared();
    this.#leaveOwn(boundary);
    if (this.#own.length === 0) {
      this.#writeFrom = Math.max(this.#writeFrom, boundary);
      this.#ownFrom = this.#writeFrom;
    }
  }

  /** Lets go of everything. Without `keep`, what only this sequence cached and nobody uses is forgotten. */
  close(keep: boolean): void {
    this.#path.release(keep ? Number.POSITIVE_INFINITY : 0, 0);
    this.#leaveShared();
    this.#leaveOwn(Number.POSITIVE_INFINITY);
  }

  /**
   * Chooses where own rows begin: in the free end of the shared extent, in a copy of few shared rows, or behind the
   * shared ones.
   */
  #beginOwn(): void {
    const { pool, segmentRows, shareRowsMin, segmentPartsMax } = this.#context;
    const first = Math.floor(this.#writeFrom / segmentRows) * segmentRows;
    if (this.#shared === undefined || first === this.#writeFrom) return;
    const { extent, firstRow, rowCount } = this.#shared;
    if (!extent.owned && firstRow + rowCount === extent.rowCount) {
      extent.owned = true;
      pool.recount(extent);
      this.#own.push({ extent, position: this.#writeFrom, firstRow: firstRow + rowCount });
      return;
    }
    const parts = this.#sharedPartsOf(first / segmentRows);
    for (const [i, part] of [...parts.entries()].reverse()) {
      if (part.rowCount >= shareRowsMin && i + 1 < segmentPartsMax) break;
      this.#ownFrom = part.position;
    }
  }

  /** Whether the last own segment takes rows up to `end` as it is. */
  #hasRoom(end: number): boolean {
    if (end <= this.#writeFrom) return true;
    const own = this.#own.at(-1);
    return (
      own !== undefined &&
      end <= this.#segmentEnd(own.position) &&
      own.firstRow + end - own.position <= own.extent.capacity
    );
  }

  /** What must grow or be made before rows up to `end` are there. */
  *#growthUntil(end: number): Generator<Growth> {
    if (end <= this.#writeFrom) return;
    const { pool, kind } = this.#context;
    let own = this.#own.at(-1);
    for (let position = own?.position ?? this.#ownFrom; position < end; own = undefined) {
      const until = Math.min(end, this.#segmentEnd(position));
      const rowCount = (own?.firstRow ?? 0) + until - position;
      if (own === undefined || pool.capacityFor(kind, rowCount) > own.extent.capacity)
        yield { own, position, rowCount };
      position = this.#segmentEnd(position);
    }
  }

  #segmentEnd(position: number): number {
    const { segmentRows } = this.#context;
    return (Math.floor(position / segmentRows) + 1) * segmentRows;
  }

  /** The own extent of a segment. */
  #ownOf(segment: number): OwnExtent | undefined {
    const first = this.#own[0];
    return first && this.#own[segment - Math.floor(first.position / this.#context.segmentRows)];
  }

  #copyShared(target: Extent, from: number): void {
    const { pool } = this.#context;
    for (const node of this.#sharedNodes(from)) {
      const position = node.firstBlock * BLOCK_TOKENS;
      const skip = Math.max(0, from - position);
      pool.copyRows(node.extent, node.firstRow + skip, target, position + skip - from, node.rowCount - skip);
    }
  }

  /** The shared nodes that reach beyond position `from`, ascending. */
  #sharedNodes(from: number): PrefixNode[] {
    const path: PrefixNode[] = [];
    for (let node = this.#shared; node !== undefined && endBlockOf(node) * BLOCK_TOKENS > from; node = node.parent)
      path.push(node);
    return path.reverse();
  }

  /** The shared parts of a segment; where they lie is looked up again once cached rows have moved. */
  #sharedPartsOf(segment: number): readonly KvPart[] {
    const { pool, segmentRows } = this.#context;
    if (this.#sharedParts === undefined || this.#moveCount !== pool.moveCount) {
      const parts = partsOnPath(this.#sharedNodes(0));
      this.#sharedParts = Map.groupBy(parts, ({ position }) => Math.floor(position / segmentRows));
      this.#moveCount = pool.moveCount;
    }
    return this.#sharedParts.get(segment) ?? [];
  }

  #leaveShared(): void {
    this.#shared = undefined;
    this.#sharedParts = undefined;
  }

  /** Lets go of own extents that begin before a position. */
  #leaveOwn(before: number): void {
    const { pool, freeBytes } = this.#context;
    for (let own = this.#own[0]; own !== undefined && own.position < before; own = this.#own[0]) {
      this.#own.shift();
      own.extent.owned = false;
      pool.settle(own.extent, freeBytes());
    }
  }
}
