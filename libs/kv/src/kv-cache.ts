import { assert } from "@drover/core";
import type { BlockHashes } from "./block-hashes.ts";
import { type CacheDigest, type CacheEvent, CacheEvents, type CacheSnapshot } from "./cache-events.ts";
import { snapshotOf } from "./cache-snapshot.ts";
import { EvictionQueue } from "./eviction/eviction-queue.ts";
import { ExtentPool } from "./extent-pool.ts";
import { type KvGeometry, segmentRowsOf } from "./geometry.ts";
import type { KvCacheOptions, OpenOptions } from "./kv-cache-options.ts";
import { KvHandle, type KvPin } from "./kv-handle.ts";
import { checkCache } from "./kv-integrity.ts";
import type { KvPart } from "./kv-parts.ts";
import { type KvKind, type KvStore, rowBytesOf } from "./kv-store.ts";
import { KvTrack, type TrackContext } from "./kv-track.ts";
import { BLOCK_TOKENS, CACHED_SPANS_MAX, SEGMENT_PARTS_MAX, SHARE_ROWS_MIN } from "./limits.ts";
import type { Extent, Span } from "./span.ts";
import { type Match, SpanTree } from "./span-tree.ts";

/** allocated = referenced + cached. */
export type KvBytes = Readonly<{ allocated: number; referenced: number; cached: number }>;

/**
 * The KV of one worker, in ids and bytes: which extents there are, which rows of them each sequence sees, what stays cached, and what goes
 * when memory is short. Synchronous and deterministic; the rows are in a {@link KvStore}. A cached prefix of L tokens is global rows
 * [0, L) and local rows from the last chunk boundary to L; where only global rows are left, the hit ends at that boundary, the rows after
 * it are computed again, and the global ones of them are not written.
 */
export class KvCache {
  readonly geometry: KvGeometry;
  readonly #options: Required<KvCacheOptions>;
  readonly #pool: ExtentPool;
  readonly #queue: EvictionQueue;
  readonly #events = new CacheEvents();
  readonly #trees: Readonly<Record<KvKind, SpanTree>>;
  readonly #contexts: Readonly<Record<KvKind, TrackContext>>;
  readonly #open = new Set<KvHandle>();
  readonly #pins = new Set<KvPin>();
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
      ...options,
    };
    assert(this.#options.segmentPartsMax >= 2, "a segment has a view and a part of its own");
    const { chunkRows } = geometry;
    this.#cachesLocal = options.prefixCache && chunkRows % BLOCK_TOKENS === 0;
    this.#cachesGlobal = this.#cachesLocal || (options.prefixCache && BLOCK_TOKENS % chunkRows === 0);
    this.#pool = new ExtentPool(geometry, store);
    this.#queue = new EvictionQueue(rowBytesOf(geometry, "global"), rowBytesOf(geometry, "local"));
    const tree = (kind: KvKind) => new SpanTree(kind, this.#pool, this.#queue, this.#events);
    this.#trees = { global: tree("global"), local: tree("local") };
    this.#contexts = { global: this.#context("global"), local: this.#context("local") };
  }

  /** Opens a sequence behind the longest cached prefix of its prompt. `hashes` is kept: it grows as the sequence does. */
  open(hashes: BlockHashes, { promptLength, reuse = true, firstRow }: OpenOptions): KvHandle {
    assert(promptLength > 0, "a prompt has a token");
    this.#now += 1;
    if (firstRow !== undefined) return this.#openApart(hashes, promptLength, firstRow);
    const { chunkRows } = this.geometry;
    const blocks = Math.min(hashes.blockCount, Math.floor(promptLength / BLOCK_TOKENS));
    const global = this.#trees.global.match(hashes, 0, this.#cachesGlobal ? blocks : 0);
    const local = this.#localMatch(hashes, Math.min(global.end, Math.floor((promptLength - 1) / BLOCK_TOKENS)));
    const cachedCount = reuse ? local.end * BLOCK_TOKENS : 0;
    const globalView = this.#trees.global.cut(global);
    const localView = reuse && cachedCount % chunkRows > 0 ? this.#trees.local.cut(local) : undefined;
    this.#nextSerial += 1;
    const handle = new KvHandle({
      hashes,
      promptLength,
      cachedCount,
      firstRow: undefined,
      branchAt: reuse && global.end > local.end ? global.end * BLOCK_TOKENS : undefined,
      global: new KvTrack(this.#contexts.global, this.#nextSerial, globalView, global.end * BLOCK_TOKENS),
      local: new KvTrack(this.#contexts.local, this.#nextSerial, localView, cachedCount),
    });
    this.#trees.global.markReused(globalView);
    this.#trees.local.markReused(localView);
    this.#open.add(handle);
    return handle;
  }

  /**
   * Lets go of the global rows before `position`, a segment's border among the committed rows of a sequence that was opened with `firstRow`:
   * attention reads them from somewhere else from now on.
   */
  giveUp(handle: KvHandle, position: number): void {
    assert(this.#open.has(handle) && handle.isApart, "only rows that nobody else can find are given up");
    assert(position % this.geometry.segmentRows === 0 && position <= handle.length, "finished segments are given up");
    handle.global.dropBefore(position, 0, 0);
  }

  /** How many tokens of a prompt are cached now; changes nothing. */
  cachedCount(hashes: BlockHashes, promptLength: number): number {
    const blocks = Math.min(hashes.blockCount, Math.floor((promptLength - 1) / BLOCK_TOKENS));
    const { end } = this.#trees.global.match(hashes, 0, this.#cachesGlobal ? blocks : 0);
    return this.#localMatch(hashes, end).end * BLOCK_TOKENS;
  }

  /** Allocates rows [length, length + rowCount) of both kinds, evicting for it. False, with nothing changed, when others use the memory. */
  reserve(handle: KvHandle, rowCount: number): boolean {
    const end = handle.length + rowCount;
    if (end <= handle.reservedEnd) return true;
    const bytes = this.bytesNeeded(handle, rowCount);
    if (bytes > this.#options.bytesMax - this.#referencedBytes) return false;
    this.#evictWhile((slack) => this.#pool.bytes - slack + bytes > this.#options.bytesMax);
    handle.global.grow(end);
    handle.local.grow(end);
    handle.reservedEnd = end;
    return true;
  }

  /** Bytes that {@link reserve} would allocate. */
  bytesNeeded(handle: KvHandle, rowCount: number): number {
    const end = handle.length + rowCount;
    return handle.global.bytesNeeded(end) + handle.local.bytesNeeded(end);
  }

  /** Where the rows of a segment are, ascending, up to what is reserved. Good until the next call that is not `parts`. */
  parts(handle: KvHandle, kind: KvKind, segment: number): readonly KvPart[] {
    return handle[kind].parts(segment, handle.reservedEnd);
  }

  /** The next rows are written and count from now on. Whole blocks enter the cache; local rows before the last boundary are let go of. */
  commit(handle: KvHandle, rowCount: number): void {
    assert(this.#open.has(handle), "an open sequence commits");
    const from = handle.length;
    const length = from + rowCount;
    assert(length <= handle.reservedEnd, "only reserved rows are committed");
    handle.global.commit(length);
    handle.local.commit(length);
    handle.length = length;
    if (handle.isApart) {
      handle.local.dropBefore(Math.floor(length / this.geometry.chunkRows) * this.geometry.chunkRows, 0, 0);
      return;
    }
    if (this.#cachesGlobal) handle.global.publish(handle.hashes, Math.floor(length / BLOCK_TOKENS), false);
    const { chunkRows } = this.geometry;
    const first = Math.floor(from / chunkRows) * chunkRows;
    for (let chunk = first; chunk + chunkRows <= length; chunk += chunkRows) this.#finishChunk(handle, chunk);
    if (this.#cachesLocal && handle.showsChunk(Math.floor(length / chunkRows) * chunkRows, chunkRows))
      handle.local.publish(handle.hashes, Math.floor(length / BLOCK_TOKENS), false);
    this.#trim();
  }

  /** Ends a sequence. With `keep` its whole blocks stay cached; without, what only it has cached goes. */
  close(handle: KvHandle, keep: boolean): void {
    assert(this.#open.delete(handle), "a sequence is closed once");
    const blocks = Math.floor(handle.length / BLOCK_TOKENS);
    const publishes = keep && !handle.isApart;
    if (publishes && this.#cachesGlobal) handle.global.publish(handle.hashes, blocks, true);
    if (publishes && this.#cachesLocal) handle.local.publish(handle.hashes, blocks, true);
    handle.local.close(keep);
    handle.global.close(keep);
    this.#trim();
  }

  /** Keeps what is cached of these blocks from eviction until {@link unpin}; it counts as referenced meanwhile. */
  pin(hashes: BlockHashes): KvPin {
    const global = this.#trees.global.match(hashes, 0, this.#cachesGlobal ? hashes.blockCount : 0);
    const local = this.#localMatch(hashes, global.end);
    const within = (local.end * BLOCK_TOKENS) % this.geometry.chunkRows > 0;
    const pin = {
      global: this.#trees.global.cut(global),
      local: within ? this.#trees.local.cut(local) : undefined,
      tokenCount: local.end * BLOCK_TOKENS,
    };
    this.#trees.global.hold(pin.global, this.#now);
    this.#trees.local.hold(pin.local, this.#now);
    this.#pins.add(pin);
    return pin;
  }

  unpin(pin: KvPin): void {
    assert(this.#pins.delete(pin), "a pin is taken out once");
    this.#trees.local.release(pin.local, this.#now);
    this.#trees.global.release(pin.global, this.#now);
    this.#trim();
  }

  bytes(kind: KvKind): KvBytes {
    const allocated = this.#pool.allocatedBytes(kind);
    const referenced = this.#pool.referencedBytes(kind);
    return { allocated, referenced, cached: allocated - referenced };
  }

  /** What has entered and left the cache since the last call. */
  takeEvents(): CacheEvent[] {
    return this.#events.take();
  }

  digest(): CacheDigest {
    return this.#events.digest();
  }

  snapshot(): CacheSnapshot {
    return snapshotOf(this.#events.digest().sequence, this.#trees);
  }

  /** Counts everything again. Bug when anything is otherwise than it should be. For tests; it looks at all there is. */
  checkIntegrity(): void {
    checkCache({
      pool: this.#pool,
      queue: this.#queue,
      trees: this.#trees,
      digest: this.#events.digest(),
      snapshot: this.snapshot(),
      handles: this.#open,
      pins: this.#pins,
    });
    assert(this.#pool.bytes <= this.#options.bytesMax, "what is allocated is within its limit");
    assert(this.#pool.cachedBytes <= this.#options.cachedBytesMax, "what is cached is within its limit");
  }

  get #referencedBytes(): number {
    return this.#pool.referencedBytes("global") + this.#pool.referencedBytes("local");
  }

  #openApart(hashes: BlockHashes, promptLength: number, firstRow: number): KvHandle {
    assert(firstRow % this.geometry.segmentRows === 0, "what is elsewhere is whole segments");
    this.#nextSerial += 1;
    const track = (kind: KvKind) => new KvTrack(this.#contexts[kind], this.#nextSerial, undefined, firstRow);
    const tracks = { global: track("global"), local: track("local") };
    const opened = { hashes, promptLength, cachedCount: 0, branchAt: undefined, firstRow, ...tracks };
    const handle = new KvHandle(opened);
    this.#open.add(handle);
    return handle;
  }

  #context(kind: KvKind): TrackContext {
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
    if (!this.#cachesLocal) return { span: undefined, end };
    const first = (Math.floor((end * BLOCK_TOKENS) / chunkRows) * chunkRows) / BLOCK_TOKENS;
    return this.#trees.local.match(hashes, first, end);
  }

  #finishChunk(handle: KvHandle, chunk: number): void {
    const { chunkRows } = this.geometry;
    const keepEnd = this.#cachesLocal ? handle.keepEnd(chunk, chunkRows) : chunk;
    if (keepEnd > chunk) handle.local.publish(handle.hashes, keepEnd / BLOCK_TOKENS, true);
    const reusedEnd = Math.min(keepEnd, handle.branchAt ?? 0);
    handle.local.dropBefore(chunk + chunkRows, keepEnd / BLOCK_TOKENS, reusedEnd / BLOCK_TOKENS);
  }

  #trim(): void {
    this.#evictWhile((slack) => this.#pool.cachedBytes - slack > this.#options.cachedBytesMax);
    const spanCount = () => this.#trees.global.size + this.#trees.local.size;
    this.#evictWhile(() => this.#queue.size > 0 && spanCount() > CACHED_SPANS_MAX);
  }

  /** `slack`: bytes that are about to be given back. A long extent is cut once, not for each run in it. */
  #evictWhile(isOver: (slack: number) => boolean): void {
    let cut: Extent | undefined;
    while (isOver(this.#slackOf(cut))) {
      const victim: Span | undefined = this.#queue.peek(this.#now);
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
    const last = extent.spans.at(-1);
    const rows = last === undefined ? 0 : this.#pool.capacityFor(extent.kind, last.row + last.rowCount);
    return this.#pool.bytesOf(extent.kind, extent.capacity - rows);
  }
}
