import { wireOf } from "./block-hashes.ts";
import type { CacheSnapshot } from "./cache-events.ts";
import type { KvKind } from "./geometry.ts";
import type { PrefixTree } from "./prefix-tree.ts";

/** All hashes of both trees, in no particular order. */
export function snapshotOf(sequence: number, trees: Readonly<Record<KvKind, PrefixTree>>): CacheSnapshot {
  const hashes = (kind: KvKind) => wireOf([...trees[kind].nodes()].flatMap((node) => node.keys));
  return { sequence, global: hashes("global"), local: hashes("local") };
}
