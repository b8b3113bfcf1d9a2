import { assert } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import {
  type CacheDigest,
  type CacheEvent,
  CacheEvents,
  type CacheOperation,
  type CacheSnapshot,
} from "./cache-events.ts";
import { snapshotOf } from "./cache-snapshot.ts";
import { EvictionQueue } from "./eviction/eviction-queue.ts";
import { weightedAge } from "./eviction/weighted-age.ts";
import { ExtentPool } from "./extent-pool.ts";
import type { KvKind } from "./geometry.ts";
import { type KvGeometry, segmentRowsOf } from "./geometry.ts";
import type { KvCacheOptions, OpenOptions } from "./kv-cache-options.ts";
import { checkCache } from "./kv-integrity.ts";
import type { KvPart } from "./kv-parts.ts";
import type { KvStore } from "./kv-store.ts";
import { BLOCK_TOKENS, CACHED_NODES_MAX, SEGMENT_PARTS_MAX, SHARE_ROWS_MIN } from "./limits.ts";
import { OpenSequence } from "./open-sequence.ts";
import type { Extent, PrefixNode } from "./prefix-node.ts";
import { type Match, PrefixTree } from "./prefix-tree.ts";
import { type RowsContext, SequenceRows } from "./sequence-rows.ts";

/** allocated = referenced + cached. */
export type KvBytes = Readonly<{ allocated: number; referenced: number; cached: number }>;

/**
 * The KV cache of one worker, in ids and bytes: which extents there are, which rows of them each sequence sees, what
 * stays cached, and what goes when memory is short. Synchronous and deterministic; the rows are in a {@link KvStore}. A
 * cached prefix of L tokens is global rows [0, L) and local rows from the last chunk boundary to L; where only global
 * rows are left, the hit ends at that boundary, the rows after it are computed again, and the global ones of them are
 * not written. Drawn in docs/kv.md.
 */
export class KvCache {
  readonly geometry: KvGeometry;
  readonly #options: Required<KvCacheOptions>;
  readonly #pool: ExtentPool;
  readonly #queue: EvictionQueue;
  readonly #events = new CacheEvents();
  readonly #trees: Readonly<Record<KvKind, PrefixTree>>;
  readonly #contexts: Readonly<Record<KvKind, RowsContext>>;
  readonly #open = new Set<OpenSequence>();
  /** Whether blocks and chunks have common borders; where not, nothing is cached. */
  readonly #cachesGlobal: boolean;
  /** Whether a hit can end within a chunk. */
  readonly #cachesLocal: boolean;
  #nextSerial = 1;
  /** Counts openings: the time of least recent use. */
  #now = 0;

  constructor(geometry: KvGeometry, store: KvStore, options: KvCacheOptions) {
    this.geometry = geometry;
    this.#options = {
      cachedBytesMax: options.bytesMax,
      shareRowsMin: SHARE_ROWS_MIN,
      segmentPartsMax: SEGMENT_PARTS_MAX,
      evictionPolicy: weightedAge(geometry),
      ...options,
    };
    assert(this.#options.segmentPartsMax >= 2, "a segment has a shared part and one of the sequence's own");
    const { chunkRows } = geometry;
    this.#cachesLocal = options.prefixCache && chunkRows % BLOCK_TOKENS === 0;
    this.#cachesGlobal = this.#cachesLocal || (options.prefixCache && BLOCK_TOKENS % chunkRows === 0);
    this.#pool = new ExtentPool(geometry, store);
    this.#queue = new EvictionQueue(this.#options.evictionPolicy);
    const tree = (kind: KvKind) => new PrefixTree(kind, this.#pool, this.#queue, this.#events);
    this.#trees = { global: tree("global"), local: tree("local") };
    this.#contexts = { global: this.#context("global"), local: this.#context("local") };
  }

  /**
   * Opens a sequence behind the longest cached prefix of its prompt. `hashes` is kept: it grows as the sequence does.
   */
  open(hashes: BlockHashes, { promptLength, reuse = true, firstRow }: OpenOptions): OpenSequence {
    assert(promptLength > 0, "a prompt has a token");
    this.#now += 1;
    if (firstRow !== undefined) return this.#openApart(hashes, promptLength, firstRow);
    const { chunkRows } = this.geometry;
    const blocks = Math.min(hashes.blockCount, Math.floor(promptLength / BLOCK_TOKENS));
    const global = this.#trees.global.match(hashes, 0, this.#cachesGlobal ? blocks : 0);
    const local = this.#localMatch(hashes, Math.min(global.end, Math.floor((promptLength - 1) / BLOCK_TOKENS)));
    const cachedCount = reuse ? local.end * BLOCK_TOKENS : 0;
    const sharedGlobal = this.#trees.global.cut(global);
    const sharedLocal = reuse && cachedCount % chunkRows > 0 ? this.#trees.local.cut(local) : undefined;
    this.#nextSerial += 1;
    const sequence = new OpenSequence({
      hashes,
      promptLength,
      cachedCount,
      firstRow: undefined,
      branchAt: reuse && global.end > local.end ? global.end * BLOCK_TOKENS : undefined,
      global: new SequenceRows(this.#contexts.global, this.#nextSerial, sharedGlobal, global.end * BLOCK_TOKENS),
      local: new SequenceRows(this.#contexts.local, this.#nextSerial, sharedLocal, cachedCount),
    });
    this.#trees.global.markReused(sharedGlobal);
    this.#trees.local.markReused(sharedLocal);
    this.#open.add(sequence);
    return sequence;
  }

  /**
   * Lets go of the global rows before `position`, a segment's border among the committed rows of a sequence that was
   * opened with `firstRow`: attention reads them from somewhere else from now on.
   */
  giveUp(sequence: OpenSequence, position: number): void {
    assert(this.#open.has(sequence) && sequence.isApart, "only rows that nobody else can find are given up");
    assert(position % this.geometry.segmentRows === 0 && position <= sequence.length, "finished segments are given up");
    sequence.global.dropBefore(position, 0, 0);
  }

  /** How many tokens of a prompt are cached now; changes nothing. */
  cachedCount(hashes: BlockHashes, promptLength: number): number {
    const blocks = Math.min(hashes.blockCount, Math.floor((promptLength - 1) / BLOCK_TOKENS));
    const { end } = this.#trees.global.match(hashes, 0, this.#cachesGlobal ? blocks : 0);
    return this.#localMatch(hashes, end).end * BLOCK_TOKENS;
  }

  /**
   * Allocates rows [length, length + rowCount) of both kinds, evicting for it. False, with nothing changed, when others
   * use the memory.
   */
  reserve(sequence: OpenSequence, rowCount: number): boolean {
    const end = sequence.length + rowCount;
    if (end <= sequence.reservedEnd) return true;
    const bytes = this.bytesNeeded(sequence, rowCount);
    if (bytes > this.#options.bytesMax - this.#referencedBytes) return false;
    this.#evictWhile((slack) => this.#pool.bytes - slack + bytes > this.#options.bytesMax);
    if (bytes > 0) {
      sequence.global.grow(end);
      sequence.local.grow(end);
    }
    sequence.reservedEnd = end;
    return true;
  }

  /** Bytes that {@link reserve} would allocate. */
  bytesNeeded(sequence: OpenSequence, rowCount: number): number {
    const end = sequence.length + rowCount;
    return sequence.global.bytesNeeded(end) + sequence.local.bytesNeeded(end);
  }

  /**
   * Where the rows of a segment are, ascending, up to what is reserved. Good until the next call that is not `parts`.
   */
  parts(sequence: OpenSequence, kind: KvKind, segment: number): readonly KvPart[] {
    return sequence[kind].parts(segment, sequence.reservedEnd);
  }

  /**
   * The next rows are written and count from now on. Whole blocks enter the cache; local rows before the last boundary
   * are let go of.
   */
  commit(sequence: OpenSequence, rowCount: number): void {
    assert(this.#open.has(sequence), "an open sequence commits");
    const from = sequence.length;
    const length = from + rowCount;
    assert(length <= sequence.reservedEnd, "only reserved rows are committed");
    sequence.global.commit(length);
    sequence.local.commit(length);
    sequence.length = length;
    if (sequence.isApart) {
      sequence.local.dropBefore(Math.floor(length / this.geometry.chunkRows) * this.geometry.chunkRows, 0, 0);
      return;
    }
    if (this.#cachesGlobal) sequence.global.publish(sequence.hashes, Math.floor(length / BLOCK_TOKENS), false);
    const { chunkRows } = this.geometry;
    const first = Math.floor(from / chunkRows) * chunkRows;
    for (let chunk = first; chunk + chunkRows <= length; chunk += chunkRows) this.#finishChunk(sequence, chunk);
    if (this.#cachesLocal && sequence.showsChunk(Math.floor(length / chunkRows) * chunkRows, chunkRows))
      sequence.local.publish(sequence.hashes, Math.floor(length / BLOCK_TOKENS), false);
    this.#trim();
  }

  /** Ends a sequence. With `keep` its whole blocks stay cached; without, what only it has cached goes. */
  close(sequence: OpenSequence, keep: boolean): void {
    assert(this.#open.delete(sequence), "a sequence is closed once");
    const blocks = Math.floor(sequence.length / BLOCK_TOKENS);
    const publishes = keep && !sequence.isApart;
    if (publishes && this.#cachesGlobal) sequence.global.publish(sequence.hashes, blocks, true);
    if (publishes && this.#cachesLocal) sequence.local.publish(sequence.hashes, blocks, true);
    sequence.local.close(keep);
    sequence.global.close(keep);
    this.#trim();
  }

  bytes(kind: KvKind): KvBytes {
    const allocated = this.#pool.allocatedBytes(kind);
    const referenced = this.#pool.referencedBytes(kind);
    return { allocated, referenced, cached: allocated - referenced };
  }

  /**
   * Other workers keep the global rows of these blocks for this one, or do not any more. The cluster is told of them as
   * of cached ones; the cache itself does not find them.
   */
  noteElsewhere(operation: CacheOperation, blocks: readonly string[]): void {
    this.#events.recordElsewhere(operation, blocks);
  }

  /** What has entered and left the cache since the last call. */
  takeEvents(): CacheEvent[] {
    return this.#events.take();
  }

  digest(): CacheDigest {
    return this.#events.digest();
  }

  snapshot(): CacheSnapshot {
    return snapshotOf(this.#events.digest().sequence, this.#trees, this.#events.onlyElsewhere);
  }

  /** Counts everything again. Bug when anything is otherwise than it should be. For tests; it looks at all there is. */
  checkIntegrity(): void {
    checkCache({
      pool: this.#pool,
      queue: this.#queue,
      trees: this.#trees,
      digest: this.#events.digest(),
      snapshot: this.snapshot(),
      sequences: this.#open,
    });
    assert(this.#pool.bytes <= this.#options.bytesMax, "what is allocated is within its limit");
    assert(this.#pool.cachedBytes <= this.#options.cachedBytesMax, "what is cached is within its limit");
  }

  get #referencedBytes(): number {
    return this.#pool.referencedBytes("global") + this.#pool.referencedBytes("local");
  }

  #openApart(hashes: BlockHashes, promptLength: number, firstRow: number): OpenSequence {
    assert(firstRow % this.geometry.segmentRows === 0, "what is elsewhere is whole segments");
    this.#nextSerial += 1;
    const rows = (kind: KvKind) => new SequenceRows(this.#contexts[kind], this.#nextSerial, undefined, firstRow);
    const both = { global: rows("global"), local: rows("local") };
    const sequence = new OpenSequence({ hashes, promptLength, cachedCount: 0, branchAt: undefined, firstRow, ...both });
    this.#open.add(sequence);
    return sequence;
  }

  #context(kind: KvKind): RowsContext {
    return {
      kind,
      pool: this.#pool,
      tree: this.#trees[kind],
      segmentRows: segmentRowsOf(this.geometry, kind === "global"),
      shareRowsMin: this.#options.shareRowsMin,
      segmentPartsMax: this.#options.segmentPartsMax,
      freeBytes: () => this.#options.bytesMax - this.#pool.bytes,
      now: () => this.#now,
    };
  }

  /** The longest prefix of `end` blocks whose local rows are there: at a boundary none are needed. */
  #localMatch(hashes: BlockHashes, end: number): Match {
    const { chunkRows } = this.geometry;
    if (!this.#cachesLocal) return { node: undefined, end };
    const first = (Math.floor((end * BLOCK_TOKENS) / chunkRows) * chunkRows) / BLOCK_TOKENS;
    return this.#trees.local.match(hashes, first, end);
  }

  #finishChunk(sequence: OpenSequence, chunk: number): void {
    const { chunkRows } = this.geometry;
    const keepEnd = this.#cachesLocal ? sequence.keepEnd(chunk, chunkRows) : chunk;
    if (keepEnd > chunk) sequence.local.publish(sequence.hashes, keepEnd / BLOCK_TOKENS, true);
    const reusedEnd = Math.min(keepEnd, sequence.branchAt ?? 0);
    sequence.local.dropBefore(chunk + chunkRows, keepEnd / BLOCK_TOKENS, reusedEnd / BLOCK_TOKENS);
  }

  #trim(): void {
    this.#evictWhile((slack) => this.#pool.cachedBytes - slack > this.#options.cachedBytesMax);
    const nodeCount = () => this.#trees.global.size + this.#trees.local.size;
    this.#evictWhile(() => this.#queue.size > 0 && nodeCount() > CACHED_NODES_MAX);
  }

  /** `slack`: bytes that are about to be given back. A long extent is cut once, not for each node in it. */
  #evictWhile(isOver: (slack: number) => boolean): void {
    let cut: Extent | undefined;
    while (isOver(this.#slackOf(cut))) {
      const victim: PrefixNode | undefined = this.#queue.peek(this.#now);
      assert(victim !== undefined, "what is not referenced can be evicted");
      const { extent } = victim;
      this.#trees[victim.kind].remove(victim);
      if (cut !== undefined && cut !== extent) this.#pool.settle(cut, 0);
      cut = extent;
    }
    if (cut !== undefined) this.#pool.settle(cut, 0);
  }

  #slackOf(extent: Extent | undefined): number {
    if (extent === undefined) return 0;
    const last = extent.nodes.at(-1);
    const rows = last === undefined ? 0 : this.#pool.capacityFor(extent.kind, last.firstRow + last.rowCount);
    return this.#pool.bytesOf(extent.kind, extent.capacity - rows);
  }
}
