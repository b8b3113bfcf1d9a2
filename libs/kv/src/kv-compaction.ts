import type { ExtentPool } from "./extent-pool.ts";
import { partsOnPath } from "./kv-parts.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { Extent, PrefixNode } from "./prefix-node.ts";
import type { PrefixTree } from "./prefix-tree.ts";

/** The parts of a cache that compaction works on. */
export type CompactionContext = Readonly<{
  pool: ExtentPool;
  tree: PrefixTree;
  segmentRows: number;
  segmentPartsMax: number;
  freeBytes: () => number;
}>;

/**
 * Copies the rows of a path's nodes together in each segment where they lie in more parts than allowed: every branch
 * that left a segment, and every sequence that ended while another computed the same, has added one. The copy takes the
 * rows' place for all who share them, so it is made once; it is left for later where there is no room for both. Another
 * path that leaves this one may gain a part, and is compacted in turn when it is next found.
 */
export function compactPath(context: CompactionContext, path: readonly PrefixNode[]): void {
  const { segmentRows, segmentPartsMax } = context;
  const segments = Map.groupBy(path, (node) => Math.floor((node.firstBlock * BLOCK_TOKENS) / segmentRows));
  for (const nodes of segments.values()) if (partsOnPath(nodes).length > segmentPartsMax) compact(context, nodes);
}

function compact({ pool, tree, freeBytes }: CompactionContext, nodes: readonly PrefixNode[]): void {
  const rowCount = nodes.reduce((total, node) => total + node.rowCount, 0);
  const capacity = pool.capacityFor(tree.kind, rowCount);
  if (pool.bytesOf(tree.kind, capacity) > freeBytes()) return;
  const target = pool.allocate(tree.kind, capacity);
  const left = new Set<Extent>();
  for (const node of nodes) {
    left.add(node.extent);
    const firstRow = target.rowCount;
    pool.copyRows(node.extent, node.firstRow, target, firstRow, node.rowCount);
    tree.move(node, target, firstRow);
  }
  target.owned = false;
  pool.recount(target);
  for (const extent of left) pool.settle(extent, freeBytes());
}
