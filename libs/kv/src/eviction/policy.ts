import type { KvKind } from "../geometry.ts";

/** What a policy sees of a leaf: the end of a cached prefix, which no open sequence uses and nothing cached follows. */
type EvictableLeaf = Readonly<{
  kind: KvKind;
  rowCount: number;
  /** Index in the chain of its first block. */
  firstBlock: number;
  /** When it was used last, in openings of sequences: the cache's only clock. */
  usedAt: number;
  /** How often a sequence other than its creator has found it. */
  reuseCount: number;
}>;

/**
 * A priority is a line over time, `base + slope * now`: the leaf where it is greatest goes first. Slope 0: a fixed
 * order.
 */
export type EvictionPriority = Readonly<{ base: number; slope: number }>;

/**
 * Which cached rows go first when bytes run out. Only leaves are asked for, so that whatever a policy says, what is
 * cached of a prefix is always its beginning. Pure; a leaf is asked for once, when it becomes one. Source: sglang,
 * EvictionStrategy.get_priority (mem_cache/evict_policy.py), where the least goes first and time is not given.
 */
export interface EvictionPolicy {
  /** Of few different slopes, because the queue keeps leaves of different slopes apart: see EVICTION_SLOPES_MAX. */
  priority(leaf: EvictableLeaf): EvictionPriority;
}
