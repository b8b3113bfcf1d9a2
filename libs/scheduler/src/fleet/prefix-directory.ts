import type { QueueJob, RequestId, WorkerId } from "@drover/core";
import {
  type ComingPrefix,
  ComingPrefixes,
  type IndexAnswer,
  type PlacementCandidate,
  PrefixIndex,
  sampledBlocks,
  sampledEnd,
} from "@drover/fleet";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, type CacheSnapshot, type KvKind } from "@drover/kv";
import type { CacheChanges, CacheSnapshotPart } from "@drover/wire";
import { RESYNC_INTERVAL_MS, SNAPSHOT_BYTES_MAX } from "../limits.ts";

type Assembly = {
  readonly sequence: number;
  readonly parts: { kind: KvKind; hashes: Uint8Array }[];
  bytes: number;
};

const NO_LOOKUP = (): number => 0;

/** Which prefixes each worker has cached, as the workers report it: events in, snapshots asked for where events were lost. */
export class PrefixDirectory {
  #chunkTokens = 0;
  #index: PrefixIndex | undefined;
  #coming: ComingPrefixes | undefined;
  readonly #assemblies = new Map<WorkerId, Assembly>();
  readonly #askedAtMs = new Map<WorkerId, number>();

  /** The chunk of the model that is served; another one makes the index anew. */
  serve(chunkTokens: number): void {
    if (chunkTokens === 0 || chunkTokens === this.#chunkTokens) return;
    this.#chunkTokens = chunkTokens;
    this.#index = new PrefixIndex({ blockTokens: BLOCK_TOKENS, chunkTokens });
    this.#coming = new ComingPrefixes({ blockTokens: BLOCK_TOKENS, chunkTokens });
  }

  /** Takes a worker's events and digest in. True: the worker must be asked for a snapshot. */
  change(worker: WorkerId, { events, digest }: CacheChanges, now: number): boolean {
    const index = this.#index;
    if (index === undefined) return false;
    const answers: IndexAnswer[] = events.map((event) => index.observe(worker, event));
    if (digest !== undefined) answers.push(index.verify(worker, digest));
    return answers.includes("needs_snapshot") && this.#ask(worker, now);
  }

  /** Takes a part of a snapshot in; with the last one, what is known of the worker is replaced. */
  restore(worker: WorkerId, { sequence, kind, hashes, first, last }: CacheSnapshotPart): void {
    if (first) this.#assemblies.set(worker, { sequence, parts: [], bytes: 0 });
    const assembly = this.#assemblies.get(worker);
    // A part of a snapshot whose beginning was on another stream, or of one that is too large to be indexed.
    if (assembly === undefined || assembly.sequence !== sequence) return;
    assembly.bytes += hashes.byteLength;
    if (assembly.bytes > SNAPSHOT_BYTES_MAX) {
      this.#assemblies.delete(worker);
      return;
    }
    assembly.parts.push({ kind, hashes });
    if (!last) return;
    this.#assemblies.delete(worker);
    this.#index?.restore(worker, snapshotOf(assembly));
  }

  forget(worker: WorkerId): void {
    this.#index?.forget(worker);
    this.#coming?.forget(worker);
    this.#assemblies.delete(worker);
    this.#askedAtMs.delete(worker);
  }

  blockCount(worker: WorkerId): number {
    return this.#index?.blockCount(worker) ?? 0;
  }

  /** Tokens of the job's prompt that each worker is expected to have cached. */
  lookup({ blockHashes, promptTokenCount }: QueueJob): (worker: WorkerId) => number {
    const hashCount = Math.floor(blockHashes.length / BLOCK_HASH_BYTES);
    if (this.#index === undefined || hashCount === 0) return NO_LOOKUP;
    const found = this.#index.cachedTokens(blockHashes, promptTokenCount, sampledBlocks(sampledEnd(hashCount)));
    return (worker) => found.get(worker) ?? 0;
  }

  /** The job goes to this candidate, who will have its prompt cached when it is computed. */
  placed({ requestId, blockHashes, promptTokenCount }: QueueJob, chosen: PlacementCandidate, now: number): void {
    this.#coming?.placed(chosen.workerId, requestId, { hashes: blockHashes, promptTokenCount }, chosen, now);
  }

  /** The worker did not take it. */
  release(worker: WorkerId, request: RequestId): void {
    this.#coming?.release(worker, request);
  }

  /** What each worker will have cached of the job's prompt, though it has not yet. */
  coming({ blockHashes, promptTokenCount }: QueueJob, now: number): (worker: WorkerId) => ComingPrefix | undefined {
    const found = this.#coming?.of({ hashes: blockHashes, promptTokenCount }, now);
    return (worker) => found?.get(worker);
  }

  #ask(worker: WorkerId, now: number): boolean {
    if (now - (this.#askedAtMs.get(worker) ?? Number.NEGATIVE_INFINITY) < RESYNC_INTERVAL_MS) return false;
    this.#askedAtMs.set(worker, now);
    return true;
  }
}

function snapshotOf({ sequence, parts }: Assembly): CacheSnapshot {
  const all = (kind: KvKind) => Buffer.concat(parts.filter((part) => part.kind === kind).map(({ hashes }) => hashes));
  return { sequence, global: all("global"), local: all("local") };
}
