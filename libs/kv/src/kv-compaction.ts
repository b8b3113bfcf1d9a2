import type { ExtentPool } from "./extent-pool.ts";
import { partsOnPath } from "./kv-parts.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { Extent, Span } from "./span.ts";
import type { SpanTree } from "./span-tree.ts";

/** What compaction needs to know of a cache. */
export type CompactionContext = Readonly<{
  pool: ExtentPool;
  tree: SpanTree;
  segmentRows: number;
  segmentPartsMax: number;
  freeBytes: () => number;
}>;

/**
 * Copies a path's rows together in each segment where they lie in more parts than allowed: every branch that left a segment, and every
 * sequence that ended while another computed the same, has added one. The copy takes the rows' place for all who view them, so it is made
 * once; it is left for later where there is no room for both. Another path that leaves this one may gain a part, and is compacted in turn
 * when it is next found.
 */
export function compactPath(context: CompactionContext, path: readonly Span[]): void {
  const { segmentRows, segmentPartsMax } = context;
  const segments = Map.groupBy(path, (span) => Math.floor((span.firstBlock * BLOCK_TOKENS) / segmentRows));
  for (const spans of segments.values()) if (partsOnPath(spans).length > segmentPartsMax) compact(context, spans);
}

function compact({ pool, tree, freeBytes }: CompactionContext, spans: readonly Span[]): void {
  const rowCount = spans.reduce((total, span) => total + span.rowCount, 0);
  const capacity = pool.capacityFor(tree.kind, rowCount);
  if (pool.bytesOf(tree.kind, capacity) > freeBytes()) return;
  const target = pool.allocate(tree.kind, capacity);
  const left = new Set<Extent>();
  for (const span of spans) {
    left.add(span.extent);
    const row = target.rowCount;
    pool.copyRows(span.extent, span.row, target, row, span.rowCount);
    tree.move(span, target, row);
  }
  target.owned = false;
  pool.recount(target);
  for (const extent of left) pool.settle(extent, freeBytes());
}
