import { assert, at } from "@drover/core";
import { type BlockSetDigest, type CacheDigest, type CacheSnapshot, digestOf } from "./cache-events.ts";
import type { EvictionQueue } from "./eviction/eviction-queue.ts";
import type { ExtentPool } from "./extent-pool.ts";
import { KV_KINDS, type KvKind } from "./geometry.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { OpenSequence } from "./open-sequence.ts";
import { type Extent, endBlockOf, type PrefixNode } from "./prefix-node.ts";
import type { PrefixTree } from "./prefix-tree.ts";

type Inside = Readonly<{
  pool: ExtentPool;
  queue: EvictionQueue;
  trees: Readonly<Record<KvKind, PrefixTree>>;
  digest: CacheDigest;
  snapshot: CacheSnapshot;
  sequences: ReadonlySet<OpenSequence>;
}>;

/** Counts a cache's state again from its parts and crashes where the two differ. */
export function checkCache(inside: Inside): void {
  const holders = countHolders(inside);
  let queued = 0;
  for (const kind of KV_KINDS) {
    const children = countChildren(inside.trees[kind]);
    for (const node of inside.trees[kind].nodes()) {
      checkNode(node, inside);
      assert(node.childCount === (children.get(node) ?? 0), "a node counts its children");
      assert(node.holderCount === (holders.get(node) ?? 0), "a node counts who holds it");
      const evictable = node.holderCount === 0 && node.childCount === 0;
      assert(evictable === (node.queued !== undefined), "what may be evicted is in the queue, and nothing else");
      if (evictable) queued += 1;
    }
    checkBytes(kind, inside.pool);
    assert(same(inside.digest[kind], digestOf(inside.snapshot[kind])), "the digest is that of what is cached");
  }
  assert(queued === inside.queue.size, "the queue has no other entries");
  checkExtents(inside);
}

function countHolders({ sequences }: Inside): Map<PrefixNode, number> {
  const counts = new Map<PrefixNode, number>();
  const add = (end: PrefixNode | undefined) => {
    for (let node = end; node !== undefined; node = node.parent) counts.set(node, (counts.get(node) ?? 0) + 1);
  };
  for (const { global, local } of sequences) {
    add(global.lastNode);
    add(local.lastNode);
  }
  return counts;
}

function countChildren(tree: PrefixTree): Map<PrefixNode, number> {
  const counts = new Map<PrefixNode, number>();
  for (const { parent } of tree.nodes()) if (parent !== undefined) counts.set(parent, (counts.get(parent) ?? 0) + 1);
  return counts;
}

function checkNode(node: PrefixNode, { trees, pool }: Inside): void {
  assert(trees[node.kind].starting(at(node.keys, 0)) === node, "a node is found by its first block");
  assert(node.rowCount === node.keys.length * BLOCK_TOKENS, "a node has a block's rows for each hash");
  assert(pool.extents.has(node.extent) && node.extent.nodes.includes(node), "a node's rows are allocated");
  const { parent } = node;
  if (parent === undefined) return;
  assert(endBlockOf(parent) === node.firstBlock, "a node follows its parent");
  assert(trees[node.kind].starting(at(parent.keys, 0)) === parent, "what is before a cached node is cached");
  assert(parent.holderCount > 0 || parent.usedAt >= node.usedAt, "who uses a node uses what is before it");
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
  const rows = Math.max(
    0,
    ...extent.nodes.filter((each) => each.holderCount > 0).map((each) => each.firstRow + each.rowCount),
  );
  return pool.bytesOf(extent.kind, extent.owned ? extent.capacity : pool.capacityFor(extent.kind, rows));
}

function checkExtents({ pool, sequences }: Inside): void {
  const owned = new Set<Extent>();
  for (const { global, local } of sequences) {
    for (const extent of [...global.ownExtents, ...local.ownExtents]) {
      assert(!owned.has(extent), "an extent has one writer at most");
      owned.add(extent);
    }
  }
  for (const extent of pool.extents) {
    assert(extent.owned === owned.has(extent), "an extent is owned by an open sequence");
    assert(extent.owned || extent.nodes.length > 0, "an extent that nobody owns has cached rows");
    let row = 0;
    for (const node of extent.nodes) {
      assert(node.firstRow >= row, "an extent's nodes do not overlap");
      row = node.firstRow + node.rowCount;
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
