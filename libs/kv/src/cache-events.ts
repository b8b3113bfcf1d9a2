import { keyAt, wireOf } from "./block-hashes.ts";
import type { KvKind } from "./geometry.ts";
import { CACHE_EVENTS_MAX } from "./limits.ts";

export type CacheOperation = "added" | "removed";

/** Blocks that entered or left a worker's cache. Numbers are consecutive from 1; `hashes` is 16 bytes a block. */
export type CacheEvent = Readonly<{
  sequence: number;
  operation: CacheOperation;
  kind: KvKind;
  hashes: Uint8Array;
}>;

/**
 * Names a set of blocks whatever their order: the XOR of their hashes' first 8 bytes, as two words, and their count.
 */
export type BlockSetDigest = Readonly<{ low: number; high: number; count: number }>;

/** What a worker has cached after its event `sequence`. */
export type CacheDigest = Readonly<{ sequence: number; global: BlockSetDigest; local: BlockSetDigest }>;

/** All that a worker has cached after its event `sequence`, 16 bytes a block, in any order. */
export type CacheSnapshot = Readonly<{ sequence: number; global: Uint8Array; local: Uint8Array }>;

type MutableDigest = { low: number; high: number; count: number };
type Pending = { readonly operation: CacheOperation; readonly kind: KvKind; readonly keys: string[] };

/** What has changed in a cache since it was last asked, for the cluster's index. */
export class CacheEvents {
  readonly #pending: Pending[] = [];
  readonly #digests: Readonly<Record<KvKind, MutableDigest>> = { global: emptyDigest(), local: emptyDigest() };
  /** Blocks whose global rows this worker has itself, and those of which others keep them for it: some are both. */
  readonly #own = new Set<string>();
  readonly #elsewhere = new Set<string>();
  /** Number of the last event that was taken or dropped. */
  #taken = 0;

  /** Blocks have entered the worker's own cache, or left it. */
  record(operation: CacheOperation, kind: KvKind, keys: readonly string[]): void {
    if (kind === "local") this.#tell(operation, kind, keys);
    else this.#change(operation, keys, this.#own, this.#elsewhere);
  }

  /** Other workers keep the global rows of blocks for this one, or do not any more. Each of them is said once. */
  recordElsewhere(operation: CacheOperation, keys: readonly string[]): void {
    this.#change(operation, keys, this.#elsewhere, this.#own);
  }

  /** Blocks of which only others keep the global rows. */
  get onlyElsewhere(): readonly string[] {
    return [...this.#elsewhere].filter((key) => !this.#own.has(key));
  }

  #change(operation: CacheOperation, keys: readonly string[], mine: Set<string>, other: ReadonlySet<string>): void {
    for (const key of keys) {
      if (operation === "added") mine.add(key);
      else mine.delete(key);
    }
    this.#tell(operation, "global", other.size === 0 ? keys : keys.filter((key) => !other.has(key)));
  }

  #tell(operation: CacheOperation, kind: KvKind, keys: readonly string[]): void {
    if (keys.length === 0) return;
    for (const key of keys) toggle(this.#digests[kind], key, operation === "added" ? 1 : -1);
    const last = this.#pending.at(-1);
    if (last !== undefined && last.operation === operation && last.kind === kind) {
      for (const key of keys) last.keys.push(key);
      return;
    }
    if (this.#pending.length >= CACHE_EVENTS_MAX) {
      this.#taken += this.#pending.length;
      this.#pending.length = 0;
    }
    this.#pending.push({ operation, kind, keys: [...keys] });
  }

  /** The events since the last call, oldest first. */
  take(): CacheEvent[] {
    const events = this.#pending.map(({ operation, kind, keys }, i) => ({
      sequence: this.#taken + 1 + i,
      operation,
      kind,
      hashes: wireOf(keys),
    }));
    this.#taken += events.length;
    this.#pending.length = 0;
    return events;
  }

  /** Of the cache as it is now: after all events, those that wait to be taken too. */
  digest(): CacheDigest {
    const { global, local } = this.#digests;
    return { sequence: this.#taken + this.#pending.length, global: { ...global }, local: { ...local } };
  }
}

function emptyDigest(): MutableDigest {
  return { low: 0, high: 0, count: 0 };
}

function toggle(digest: MutableDigest, key: string, step: number): void {
  digest.low = (digest.low ^ wordAt(key, 0)) >>> 0;
  digest.high = (digest.high ^ wordAt(key, 4)) >>> 0;
  digest.count += step;
}

/** Four of a key's bytes, little-endian. */
function wordAt(key: string, at: number): number {
  return (
    (key.charCodeAt(at) |
      (key.charCodeAt(at + 1) << 8) |
      (key.charCodeAt(at + 2) << 16) |
      (key.charCodeAt(at + 3) << 24)) >>>
    0
  );
}

/** The digest of a set given in the wire form; every block once. */
export function digestOf(wire: Uint8Array): BlockSetDigest {
  const digest = emptyDigest();
  for (let i = 0; i * 16 < wire.length; i++) toggle(digest, keyAt(wire, i), 1);
  return digest;
}
