import type { ExtentId, KvKind } from "./kv-store.ts";

/** A run of rows of one segment. Rows once written never change; one sequence at most appends, at the end. */
export type Extent = {
  readonly id: ExtentId;
  readonly kind: KvKind;
  capacity: number;
  /** Written rows. */
  rowCount: number;
  /** Whether an open sequence has rows of its own here, and may append. */
  owned: boolean;
  /** The cached runs in it, in the order of their rows: all on one path of the tree, so the last is the deepest. */
  readonly spans: Span[];
  /** Bytes that are not evictable, because it is owned, or open sequences view its first rows. */
  referencedBytes: number;
};

/** A run of cached blocks whose rows follow each other in one extent: a node of the tree of prefixes. */
export type Span = {
  readonly serial: number;
  readonly kind: KvKind;
  /** The sequence that computed it. */
  readonly creator: number;
  extent: Extent;
  /** Its first row in the extent. */
  row: number;
  rowCount: number;
  /** Index in the chain of its first block. */
  firstBlock: number;
  /** The blocks' hashes. */
  keys: string[];
  parent: Span | undefined;
  childCount: number;
  /** Open sequences and pins whose path leads through it. Who holds a run holds all before it. */
  holderCount: number;
  usedAt: number;
  /** Whether a sequence other than its creator has found it. */
  reused: boolean;
  /** Its place in the queue of what may be evicted; -1 while it is held or has children. */
  queueIndex: number;
};

/** The block after a span's last. */
export const endBlockOf = (span: Span): number => span.firstBlock + span.keys.length;
