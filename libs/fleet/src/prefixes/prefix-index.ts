import type { WorkerId } from "@drover/core";
import type { BlockSetDigest, CacheDigest, CacheEvent, CacheOperation, CacheSnapshot } from "@drover/kv";
import { BLOCK_HASH_BYTES } from "@drover/kv";
import { PREFIX_EVENTS_HELD_MAX, PREFIX_RETIRED_MAX } from "../limits.ts";
import { PrefixHolders } from "./prefix-holders.ts";
import { cachedTokens, type PrefixShape } from "./prefix-lookup.ts";

type MutableDigest = { low: number; high: number; count: number };

/** What the index knows of one worker's cache. */
type Indexed = {
  readonly worker: WorkerId;
  /** Names it in the tables; a snapshot starts under a new number, and the old one's entries are purged in time. */
  number: number;
  /** The last event that is in the tables. */
  sequence: number;
  readonly digests: { global: MutableDigest; local: MutableDigest };
  /** Events that came before those they follow, by number. */
  readonly early: Map<number, CacheEvent>;
};

/** What to do after news of a worker: nothing, or ask it for all that it has cached. */
export type IndexAnswer = "exact" | "needs_snapshot";

/**
 * Which prefixes every worker has cached, from the events of their caches. Repeated events are ignored, early ones wait for those
 * before them, and what is lost is found by a gap in the numbers or by the digest, and mended by a snapshot. It may lag behind: a wrong
 * entry costs latency, because the worker itself decides what it reuses.
 */
export class PrefixIndex {
  readonly #shape: PrefixShape;
  readonly #tables = { global: new PrefixHolders(), local: new PrefixHolders() };
  readonly #workers = new Map<WorkerId, Indexed>();
  readonly #byNumber: (Indexed | undefined)[] = [];
  readonly #retired = new Set<number>();
  readonly #freeNumbers: number[] = [];

  constructor(shape: PrefixShape) {
    this.#shape = shape;
  }

  /** Blocks that a worker is known to have cached. */
  blockCount(worker: WorkerId): number {
    const indexed = this.#workers.get(worker);
    return indexed === undefined ? 0 : indexed.digests.global.count + indexed.digests.local.count;
  }

  /** Takes in a worker's event. After a gap that is too long to wait for, the answer asks for a snapshot. */
  observe(worker: WorkerId, event: CacheEvent): IndexAnswer {
    const indexed = this.#indexed(worker);
    if (event.sequence <= indexed.sequence) return "exact";
    if (event.sequence > indexed.sequence + 1) {
      if (indexed.early.size >= PREFIX_EVENTS_HELD_MAX) return "needs_snapshot";
      indexed.early.set(event.sequence, event);
      return "exact";
    }
    this.#apply(indexed, event);
    this.#applyEarly(indexed);
    return "exact";
  }

  /** Compares with what the worker says it has. Workers send it when they have been quiet, on the stream of their events. */
  verify(worker: WorkerId, digest: CacheDigest): IndexAnswer {
    const { sequence, digests } = this.#indexed(worker);
    // What was said before an event that is here already is out of date.
    if (digest.sequence < sequence) return "exact";
    const isEqual =
      digest.sequence === sequence && same(digest.global, digests.global) && same(digest.local, digests.local);
    return isEqual ? "exact" : "needs_snapshot";
  }

  /** Replaces all that is known of a worker. A snapshot older than what is known is ignored. */
  restore(worker: WorkerId, snapshot: CacheSnapshot): void {
    const { early, sequence } = this.#indexed(worker);
    if (snapshot.sequence < sequence) return;
    this.forget(worker);
    const indexed = this.#indexed(worker);
    for (const kind of ["global", "local"] as const) this.#applyBlocks(indexed, "added", kind, snapshot[kind]);
    indexed.sequence = snapshot.sequence;
    for (const [number, event] of early) if (number > snapshot.sequence) indexed.early.set(number, event);
    this.#applyEarly(indexed);
  }

  /** Drops a worker that is lost, or that has begun a new life and counts its events anew. */
  forget(worker: WorkerId): void {
    const indexed = this.#workers.get(worker);
    if (indexed === undefined) return;
    this.#workers.delete(worker);
    this.#byNumber[indexed.number] = undefined;
    this.#retired.add(indexed.number);
    if (this.#retired.size > PREFIX_RETIRED_MAX) this.#purge();
  }

  /**
   * Tokens of a prompt that each worker would not compute, for those that have any. `wire` is the prompt's chain of hashes, 16 bytes a
   * block, or with `sample` of the blocks that it names. O(log n) looks into a table for each length that occurs among the workers.
   */
  cachedTokens(wire: Uint8Array, promptLength: number, sample?: readonly number[]): Map<WorkerId, number> {
    const isAlive = (number: number) => this.#byNumber[number] !== undefined;
    const found = cachedTokens(this.#tables, this.#shape, wire, promptLength, isAlive, sample);
    const byWorker = new Map<WorkerId, number>();
    for (let i = 0; i < found.workers.length; i++) {
      const worker = this.#byNumber[found.workers[i] ?? 0]?.worker;
      const tokens = found.tokens[i] ?? 0;
      if (worker !== undefined && tokens > 0) byWorker.set(worker, tokens);
    }
    return byWorker;
  }

  #indexed(worker: WorkerId): Indexed {
    const known = this.#workers.get(worker);
    if (known !== undefined) return known;
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
    const digests = { global: { low: 0, high: 0, count: 0 }, local: { low: 0, high: 0, count: 0 } };
    const made = { worker, number, sequence: 0, digests, early: new Map<number, CacheEvent>() };
    this.#workers.set(worker, made);
    this.#byNumber[number] = made;
    return made;
  }

  #apply(indexed: Indexed, event: CacheEvent): void {
    this.#applyBlocks(indexed, event.operation, event.kind, event.hashes);
    indexed.sequence = event.sequence;
  }

  #applyEarly(indexed: Indexed): void {
    for (;;) {
      const next = indexed.early.get(indexed.sequence + 1);
      if (next === undefined) return;
      indexed.early.delete(next.sequence);
      this.#apply(indexed, next);
    }
  }

  #applyBlocks(indexed: Indexed, operation: CacheOperation, kind: "global" | "local", wire: Uint8Array): void {
    const view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength);
    const digest = indexed.digests[kind];
    const table = this.#tables[kind];
    for (let at = 0; at < wire.length; at += BLOCK_HASH_BYTES) {
      const low = view.getUint32(at, true);
      const high = view.getUint32(at + 4, true);
      const isNews =
        operation === "added" ? table.add(low, high, indexed.number) : table.delete(low, high, indexed.number);
      if (!isNews) continue;
      digest.low = (digest.low ^ low) >>> 0;
      digest.high = (digest.high ^ high) >>> 0;
      digest.count += operation === "added" ? 1 : -1;
    }
  }

  #purge(): void {
    this.#tables.global.purge(this.#retired);
    this.#tables.local.purge(this.#retired);
    this.#freeNumbers.push(...this.#retired);
    this.#retired.clear();
  }
}

function same(a: BlockSetDigest, b: BlockSetDigest): boolean {
  return a.low === b.low && a.high === b.high && a.count === b.count;
}
