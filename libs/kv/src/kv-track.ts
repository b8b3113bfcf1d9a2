import { assert } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import { CachedPath, type OwnRun } from "./cached-path.ts";
import type { ExtentPool } from "./extent-pool.ts";
import { compactPath } from "./kv-compaction.ts";
import { appendPart, type KvPart, partsOnPath } from "./kv-parts.ts";
import type { KvKind } from "./kv-store.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type Span } from "./span.ts";
import type { SpanTree } from "./span-tree.ts";

/** What all sequences of a cache share, for one kind. */
export type TrackContext = Readonly<{
  kind: KvKind;
  pool: ExtentPool;
  tree: SpanTree;
  segmentRows: number;
  shareRowsMin: number;
  segmentPartsMax: number;
  freeBytes: () => number;
  now: () => number;
}>;

/** One sequence's rows of one kind: a view of cached rows, then rows of its own, which enter the cache block by block. */
export class KvTrack {
  readonly #context: TrackContext;
  /** Ends the path whose rows are viewed. */
  #view: Span | undefined;
  /** First position whose rows are written by this sequence. */
  #writeFrom: number;
  /** First position that its own rows hold: before writeFrom where short views are copied. */
  #ownFrom: number;
  readonly #own: OwnRun[] = [];
  readonly #path: CachedPath;
  #viewParts: ReadonlyMap<number, readonly KvPart[]> | undefined;
  #moveCount = 0;

  /** `view` is the path to the block before `writeFrom`; it is held by this track until it is closed. */
  constructor(context: TrackContext, serial: number, view: Span | undefined, writeFrom: number) {
    this.#context = context;
    this.#view = view;
    this.#writeFrom = writeFrom;
    this.#ownFrom = writeFrom;
    this.#path = new CachedPath(context, serial, view, Math.floor(writeFrom / BLOCK_TOKENS));
    compactPath(context, this.#viewPath(0));
    this.#beginOwn();
  }

  /** Positions before it have their rows already, and are not written. */
  get writeFrom(): number {
    return this.#writeFrom;
  }

  /** The cached path that is held. */
  get tip(): Span | undefined {
    return this.#path.tip;
  }

  get ownExtents(): readonly Extent[] {
    return this.#own.map((run) => run.extent);
  }

  /** Bytes to allocate before rows up to position `end` can be written. */
  bytesNeeded(end: number): number {
    const { pool, kind } = this.#context;
    let bytes = 0;
    for (const { run, rowCount } of this.#runsUntil(end))
      bytes += pool.bytesOf(kind, pool.capacityFor(kind, rowCount) - (run?.extent.capacity ?? 0));
    return bytes;
  }

  /** Allocates what {@link bytesNeeded} counts. */
  grow(end: number): void {
    const { pool, kind } = this.#context;
    for (const { run, position, rowCount } of [...this.#runsUntil(end)]) {
      const capacity = pool.capacityFor(kind, rowCount);
      if (run !== undefined) pool.resize(run.extent, capacity);
      else {
        const extent = pool.allocate(kind, capacity);
        if (position < this.#writeFrom) this.#copyView(extent, position);
        this.#own.push({ extent, position, row: 0 });
      }
    }
  }

  /** Rows before position `length` are written for good. */
  commit(length: number): void {
    if (length <= this.#writeFrom) return;
    for (let i = this.#own.length - 1; i >= 0; i--) {
      const run = this.#own[i];
      if (run === undefined || run.position >= length) continue;
      const end = Math.min(length, this.#segmentEnd(run.position));
      const rowCount = run.row + end - run.position;
      if (run.extent.rowCount >= rowCount) return;
      run.extent.rowCount = rowCount;
    }
  }

  /** Caches whole blocks before `end`: see {@link CachedPath.extend}. */
  publish(hashes: BlockHashes, end: number, last: boolean): void {
    this.#path.extend(hashes, end, last, (position) => {
      const run = this.#own.findLast((each) => each.position <= position);
      assert(run !== undefined, "what is not cached is the sequence's own");
      return run;
    });
  }

  /** The parts of a segment up to position `end`, ascending; together every row that attention sees there. */
  parts(segment: number, end: number): KvPart[] {
    const { segmentRows } = this.#context;
    const last = Math.min(end, (segment + 1) * segmentRows);
    // Own runs are of segments that follow each other.
    const run = this.#own[segment - Math.floor((this.#own[0]?.position ?? 0) / segmentRows)];
    const viewEnd = Math.min(last, run?.position ?? last);
    const parts: KvPart[] = [];
    for (const part of this.#viewed().get(segment) ?? [])
      if (part.position < viewEnd)
        appendPart(parts, { ...part, rowCount: Math.min(part.rowCount, viewEnd - part.position) });
    if (run !== undefined && run.position < last) {
      const { extent, row, position } = run;
      appendPart(parts, { extent: extent.id, firstRow: row, rowCount: last - position, position });
    }
    return parts;
  }

  /**
   * Chunked layers lose everything before the boundary. Of what they lose, blocks before `keepEnd` stay cached, and those before
   * `reusedEnd` as what was used again.
   */
  dropBefore(boundary: number, keepEnd: number, reusedEnd: number): void {
    this.#path.markReused(reusedEnd);
    this.#path.release(keepEnd, boundary / BLOCK_TOKENS);
    this.#closeView();
    this.#closeOwn(boundary);
    if (this.#own.length === 0) {
      this.#writeFrom = Math.max(this.#writeFrom, boundary);
      this.#ownFrom = this.#writeFrom;
    }
  }

  /** Lets go of everything. Without `keep`, what only this sequence cached and nobody uses is forgotten. */
  close(keep: boolean): void {
    this.#path.release(keep ? Number.POSITIVE_INFINITY : 0, 0);
    this.#closeView();
    this.#closeOwn(Number.POSITIVE_INFINITY);
  }

  /** Chooses where own rows begin: in the viewed extent's free end, in a copy of a short view, or behind the view. */
  #beginOwn(): void {
    const { pool, segmentRows, shareRowsMin, segmentPartsMax } = this.#context;
    const first = Math.floor(this.#writeFrom / segmentRows) * segmentRows;
    if (this.#view === undefined || first === this.#writeFrom) return;
    const { extent, row, rowCount } = this.#view;
    const parts = this.#viewed().get(first / segmentRows) ?? [];
    if (!extent.owned && row + rowCount === extent.rowCount) {
      extent.owned = true;
      pool.recount(extent);
      this.#own.push({ extent, position: this.#writeFrom, row: row + rowCount });
      return;
    }
    for (let count = parts.length; count > 0; count--) {
      const part = parts[count - 1];
      if (part === undefined || (part.rowCount >= shareRowsMin && count < segmentPartsMax)) break;
      this.#ownFrom = part.position;
    }
  }

  /** Own runs that must grow, or be made, before rows up to `end` are there, with the rows that each then has. */
  *#runsUntil(end: number): Generator<{ run: OwnRun | undefined; position: number; rowCount: number }> {
    if (end <= this.#writeFrom) return;
    let run = this.#own.at(-1);
    for (let position = run?.position ?? this.#ownFrom; position < end; run = undefined) {
      const until = Math.min(end, this.#segmentEnd(position));
      const rowCount = (run?.row ?? 0) + until - position;
      if (run === undefined || this.#context.pool.capacityFor(this.#context.kind, rowCount) > run.extent.capacity)
        yield { run, position, rowCount };
      position = this.#segmentEnd(position);
    }
  }

  #segmentEnd(position: number): number {
    const { segmentRows } = this.#context;
    return (Math.floor(position / segmentRows) + 1) * segmentRows;
  }

  #copyView(target: Extent, from: number): void {
    const { pool } = this.#context;
    for (const span of this.#viewPath(from)) {
      const position = span.firstBlock * BLOCK_TOKENS;
      const skip = Math.max(0, from - position);
      pool.copyRows(span.extent, span.row + skip, target, position + skip - from, span.rowCount - skip);
    }
  }

  /** The viewed spans that reach beyond position `from`, ascending. */
  #viewPath(from: number): Span[] {
    const path: Span[] = [];
    for (let span = this.#view; span !== undefined && endBlockOf(span) * BLOCK_TOKENS > from; span = span.parent)
      path.push(span);
    return path.reverse();
  }

  /** The viewed parts by segment. */
  #viewed(): ReadonlyMap<number, readonly KvPart[]> {
    const { pool, segmentRows } = this.#context;
    if (this.#viewParts === undefined || this.#moveCount !== pool.moveCount) {
      this.#viewParts = Map.groupBy(partsOnPath(this.#viewPath(0)), ({ position }) =>
        Math.floor(position / segmentRows),
      );
      this.#moveCount = pool.moveCount;
    }
    return this.#viewParts;
  }

  #closeView(): void {
    this.#view = undefined;
    this.#viewParts = undefined;
  }

  #closeOwn(before: number): void {
    const { pool, freeBytes } = this.#context;
    for (let run = this.#own[0]; run !== undefined && run.position < before; run = this.#own[0]) {
      this.#own.shift();
      run.extent.owned = false;
      pool.settle(run.extent, freeBytes());
    }
  }
}
