import type { EvictionPriority } from "./eviction/policy.ts";
import type { KvKind } from "./geometry.ts";
import type { ExtentId } from "./kv-store.ts";

/** A buffer for rows of one segment. Rows once written never change; one sequence at most appends, at the end. */
export type Extent = {
  readonly id: ExtentId;
  readonly kind: KvKind;
  /** Rows that are allocated. */
  capacity: number;
  /** Rows that are written. */
  rowCount: number;
  /** Whether an open sequence has rows of its own here, and may append. */
  owned: boolean;
  /**
   * The nodes whose rows are in it, in the order of their rows: all on one path of the tree, so the last is the
   * deepest.
   */
  readonly nodes: PrefixNode[];
  /** Bytes that are not evictable, because it is owned, or open sequences read its first rows. */
  referencedBytes: number;
};

/**
 * A node of the tree of cached prefixes: blocks that follow each other, and whose rows follow each other in one extent.
 */
export type PrefixNode = {
  /** Tells nodes apart that are alike in everything else, in the order in which they were made. */
  readonly serial: number;
  readonly kind: KvKind;
  /** The sequence that computed it. */
  readonly creator: number;
  extent: Extent;
  /** The extent's row that its first row is. */
  firstRow: number;
  rowCount: number;
  /** Index in the chain of its first block. */
  firstBlock: number;
  /** The blocks' hashes. */
  keys: string[];
  parent: PrefixNode | undefined;
  childCount: number;
  /** Open sequences whose path leads through it. Who holds a node holds all before it. */
  holderCount: number;
  /** When it was used last, in openings of sequences. */
  usedAt: number;
  /** How often a sequence other than its creator has found it. */
  reuseCount: number;
  /** Its place in the queue of leaves that may be evicted; undefined while it is held or has children. */
  queued: QueuedLeaf | undefined;
};

/** What the queue keeps of a leaf: its priority, and its place in the heap. */
export type QueuedLeaf = { readonly priority: EvictionPriority; index: number };

/** The block after a node's last. */
export const endBlockOf = (node: PrefixNode): number => node.firstBlock + node.keys.length;
