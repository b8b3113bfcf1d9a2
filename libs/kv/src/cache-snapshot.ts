import { wireOf } from "./block-hashes.ts";
import type { CacheSnapshot } from "./cache-events.ts";
import type { KvKind } from "./geometry.ts";
import type { PrefixTree } from "./prefix-tree.ts";

/** All hashes of both trees, and of global rows that only others keep, in no particular order. */
export function snapshotOf(
  sequence: number,
  trees: Readonly<Record<KvKind, PrefixTree>>,
  onlyElsewhere: readonly string[],
): CacheSnapshot {
  const hashes = (kind: KvKind) => [...trees[kind].nodes()].flatMap((node) => node.keys);
  return { sequence, global: wireOf([...hashes("global"), ...onlyElsewhere]), local: wireOf(hashes("local")) };
}
