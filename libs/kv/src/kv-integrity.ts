import { assert } from "@drover/core";
import { type BlockSetDigest, type CacheDigest, type CacheSnapshot, digestOf } from "./cache-events.ts";
import type { EvictionQueue } from "./eviction/eviction-queue.ts";
import type { ExtentPool } from "./extent-pool.ts";
import type { KvHandle, KvPin } from "./kv-handle.ts";
import { KV_KINDS, type KvKind } from "./kv-store.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import { type Extent, endBlockOf, type Span } from "./span.ts";
import type { SpanTree } from "./span-tree.ts";

type Inside = Readonly<{
  pool: ExtentPool;
  queue: EvictionQueue;
  trees: Readonly<Record<KvKind, SpanTree>>;
  digest: CacheDigest;
  snapshot: CacheSnapshot;
  handles: ReadonlySet<KvHandle>;
  pins: ReadonlySet<KvPin>;
}>;

/** Counts a cache's state again from its parts and crashes where the two differ. */
export function checkCache(inside: Inside): void {
  const holders = countHolders(inside);
  let queued = 0;
  for (const kind of KV_KINDS) {
    const children = countChildren(inside.trees[kind]);
    for (const span of inside.trees[kind].spans()) {
      checkSpan(span, inside);
      assert(span.childCount === (children.get(span) ?? 0), "a span counts its children");
      assert(span.holderCount === (holders.get(span) ?? 0), "a span counts who holds it");
      const evictable = span.holderCount === 0 && span.childCount === 0;
      assert(evictable === span.queueIndex >= 0, "what may be evicted is in the queue, and nothing else");
      if (evictable) queued += 1;
    }
    checkBytes(kind, inside.pool);
    assert(same(inside.digest[kind], digestOf(inside.snapshot[kind])), "the digest is that of what is cached");
  }
  assert(queued === inside.queue.size, "the queue has no other entries");
  checkExtents(inside);
}

function countHolders({ handles, pins }: Inside): Map<Span, number> {
  const counts = new Map<Span, number>();
  const add = (end: Span | undefined) => {
    for (let span = end; span !== undefined; span = span.parent) counts.set(span, (counts.get(span) ?? 0) + 1);
  };
  for (const { global, local } of handles) {
    add(global.tip);
    add(local.tip);
  }
  for (const { global, local } of pins) {
    add(global);
    add(local);
  }
  return counts;
}

function countChildren(tree: SpanTree): Map<Span, number> {
  const counts = new Map<Span, number>();
  for (const { parent } of tree.spans()) if (parent !== undefined) counts.set(parent, (counts.get(parent) ?? 0) + 1);
  return counts;
}

function checkSpan(span: Span, { trees, pool }: Inside): void {
  assert(trees[span.kind].starting(span.keys[0] ?? "") === span, "a span is found by its first block");
  assert(span.rowCount === span.keys.length * BLOCK_TOKENS, "a span has a block's rows for each hash");
  assert(pool.extents.has(span.extent) && span.extent.spans.includes(span), "a span's rows are allocated");
  const { parent } = span;
  if (parent === undefined) return;
  assert(endBlockOf(parent) === span.firstBlock, "a span follows its parent");
  assert(trees[span.kind].starting(parent.keys[0] ?? "") === parent, "what is before a cached span is cached");
  assert(parent.holderCount > 0 || parent.usedAt >= span.usedAt, "who uses a span uses what is before it");
}

function checkBytes(kind: KvKind, pool: ExtentPool): void {
  let allocated = 0;
  let referenced = 0;
  for (const extent of pool.extents) {
    if (extent.kind !== kind) continue;
    allocated += pool.bytesOf(kind, extent.capacity);
    referenced += extent.referencedBytes;
    assert(extent.referencedBytes === referencedBytesOf(extent, pool), "an extent counts its referenced bytes");
  }
  assert(allocated === pool.allocatedBytes(kind), "what is accounted is what is allocated");
  assert(referenced === pool.referencedBytes(kind), "referenced bytes are the sum of the extents'");
}

function referencedBytesOf(extent: Extent, pool: ExtentPool): number {
  const rows = Math.max(0, ...extent.spans.filter((s) => s.holderCount > 0).map((s) => s.row + s.rowCount));
  return pool.bytesOf(extent.kind, extent.owned ? extent.capacity : pool.capacityFor(extent.kind, rows));
}

function checkExtents({ pool, handles }: Inside): void {
  const owned = new Set<Extent>();
  for (const handle of handles) {
    for (const extent of [...handle.global.ownExtents, ...handle.local.ownExtents]) {
      assert(!owned.has(extent), "an extent has one writer at most");
      owned.add(extent);
    }
  }
  for (const extent of pool.extents) {
    assert(extent.owned === owned.has(extent), "an extent is owned by an open sequence");
    assert(extent.owned || extent.spans.length > 0, "an extent that nobody owns has cached rows");
    let row = 0;
    for (const span of extent.spans) {
      assert(span.row >= row, "cached runs of an extent do not overlap");
      row = span.row + span.rowCount;
    }
    assert(
      row <= extent.rowCount && extent.rowCount <= extent.capacity,
      "cached rows are written, and those allocated",
    );
  }
}

function same(a: BlockSetDigest, b: BlockSetDigest): boolean {
  return a.low === b.low && a.high === b.high && a.count === b.count;
}
