import {
  assert,
  type KvSequence,
  type KvUse,
  type SegmentRows,
  type SequencePrompt,
  type SequenceStore,
} from "@drover/core";
import {
  BlockHashes,
  type CacheDigest,
  type CacheEvent,
  type CacheSnapshot,
  type HashSeed,
  KvCache,
  type KvCacheOptions,
  type KvGeometry,
} from "@drover/kv";
import { ContextStripes, type StripedPrompt, type StripeOptions } from "./context-stripes.ts";
import { SEGMENTS_UNDER_WAY_MAX } from "./limits.ts";
import { hashesOf } from "./prompt-hashes.ts";
import { SegmentChain } from "./segment-chain.ts";
import type { SequenceStorage } from "./sequence-storage.ts";
import { StoredSequence, type StripedKv, stored } from "./stored-sequence.ts";

export type StoredSequencesOptions = Readonly<{
  cache: KvCacheOptions;
  /** What the chains that routers send begin with. */
  hashSeed: HashSeed;
  /** Where the old rows of long sequences go; absent: nowhere. */
  stripes: StripeOptions | undefined;
}>;

/** The KV of all sequences that a worker computes: with its executor, of long ones also with context workers. */
export class StoredSequences implements SequenceStore {
  readonly cache: KvCache;
  readonly kvBytesMax: number;
  readonly sharesPrefixes: boolean;
  readonly #storage: SequenceStorage;
  readonly #stripes: ContextStripes | undefined;
  readonly #keepsSegments: boolean;
  readonly #hashSeed: HashSeed;

  constructor(geometry: KvGeometry, storage: SequenceStorage, options: StoredSequencesOptions) {
    const { cache, hashSeed, stripes } = options;
    this.kvBytesMax = cache.bytesMax;
    this.sharesPrefixes = cache.prefixCache;
    this.#storage = storage;
    this.cache = new KvCache(geometry, storage, cache);
    this.#keepsSegments = cache.prefixCache && stripes?.keeps === true;
    this.#stripes =
      stripes &&
      new ContextStripes(geometry, stripes, (operation, blocks) => this.cache.noteElsewhere(operation, blocks));
    this.#hashSeed = hashSeed;
  }

  get kvBytesUsed(): number {
    return this.kvUse.global.referenced + this.kvUse.local.referenced;
  }

  get kvUse(): Readonly<{ global: KvUse; local: KvUse }> {
    return { global: this.cache.bytes("global"), local: this.cache.bytes("local") };
  }

  isStriped(rowCount: number): boolean {
    return this.#stripes?.includes(rowCount) ?? false;
  }

  /** Open sequences that are striped. */
  get stripedCount(): number {
    return this.#stripes?.openCount ?? 0;
  }

  get stripedRowsFree(): number {
    return this.#stripes?.rowsFree ?? 0;
  }

  get stripedRowsMax(): number {
    return this.#stripes?.rowsMax ?? 0;
  }

  open(prompt?: SequencePrompt): StoredSequence {
    const hashes = prompt === undefined ? new BlockHashes(this.#hashSeed) : hashesOf(prompt, this.#hashSeed);
    if (prompt !== undefined && this.#stripes?.includes(prompt.rowCountMax))
      return this.#openStriped(prompt, hashes, this.#stripes);
    // Without a prompt the chain stays empty until rows are committed; they are not kept, so nothing finds them.
    const promptLength = prompt?.tokenIds.length ?? 1;
    const handle = this.cache.open(hashes, { promptLength, reuse: prompt?.reuse ?? false });
    return new StoredSequence({ cache: this.cache, handle, keep: prompt !== undefined });
  }

  prepare(prompt: SequencePrompt): Promise<boolean> | undefined {
    if (!this.#keepsSegments || !this.#stripes?.includes(prompt.rowCountMax)) return undefined;
    return this.#stripes.takeOver(this.#stripedPrompt(prompt, hashesOf(prompt, this.#hashSeed)));
  }

  /** Segments that holders have meanwhile are let go of first. */
  reserve(sequence: KvSequence, rowCount: number): boolean {
    const mine = stored(sequence);
    this.#giveUp(mine);
    return this.cache.reserve(mine.handle, rowCount);
  }

  bytesNeeded(sequence: KvSequence, rowCount: number): number {
    const mine = stored(sequence);
    this.#giveUp(mine);
    return this.cache.bytesNeeded(mine.handle, rowCount);
  }

  commit(sequence: KvSequence, tokenIds: Int32Array): void {
    const mine = stored(sequence);
    mine.commit(tokenIds);
    this.#send(mine);
  }

  isSettled(sequence: KvSequence): boolean {
    const { stripes } = stored(sequence);
    return stripes === undefined || !(stripes.isAsking || stripes.underWay.length >= SEGMENTS_UNDER_WAY_MAX);
  }

  settled(sequences: readonly KvSequence[]): Promise<void> {
    return Promise.race(sequences.flatMap((sequence) => stored(sequence).stripes?.underWay ?? []));
  }

  repair(sequence: KvSequence): StoredSequence | "sending" | undefined {
    const mine = stored(sequence);
    const { stripes } = mine;
    if (stripes !== undefined) this.#stripes?.move(stripes);
    const lost = stripes?.lost;
    if (mine.repair !== undefined && mine.repair.repairs !== lost) this.#endRepair(mine);
    if (stripes === undefined || lost === undefined) return undefined;
    if (stripes.at(lost).sending !== undefined) return "sending";
    const rows = this.cache.geometry.segmentRows;
    mine.repair ??= this.#openApart(new BlockHashes(this.#hashSeed), lost * rows, { stripes, repairs: lost });
    if (mine.repair.length < mine.repair.rowCountMax) return mine.repair;
    this.#send(mine.repair);
    return "sending";
  }

  close(sequence: KvSequence): void {
    const mine = stored(sequence);
    this.#endRepair(mine);
    this.cache.close(mine.handle, mine.keep);
    if (mine.stripes !== undefined) this.#stripes?.close(mine.stripes);
  }

  /** Other context workers are known, or some are about to end. */
  holdersChanged(): void {
    this.#stripes?.holdersChanged();
  }

  /** What the cluster is told is cached: with what context workers keep for sequences to come. */
  takeEvents(): CacheEvent[] {
    this.#stripes?.sweep();
    return this.cache.takeEvents();
  }

  digest(): CacheDigest {
    return this.cache.digest();
  }

  snapshot(): CacheSnapshot {
    return this.cache.snapshot();
  }

  /** Behind the segments that holders have of its prompt: their ends are chunks' borders, so that no local rows are missing. */
  #openStriped(prompt: SequencePrompt, hashes: BlockHashes, among: ContextStripes): StoredSequence {
    const striped = this.#keepsSegments ? this.#stripedPrompt(prompt, hashes) : undefined;
    const stripes = among.open(prompt.rowCountMax, striped);
    return this.#openApart(hashes, stripes.end * this.cache.geometry.segmentRows, { stripes });
  }

  #stripedPrompt({ tokenIds, reuse }: SequencePrompt, hashes: BlockHashes): StripedPrompt {
    const { segmentRows } = this.cache.geometry;
    const reusedMax = reuse ? Math.floor((tokenIds.length - 1) / segmentRows) : 0;
    return { chain: new SegmentChain(hashes, segmentRows), reusedMax };
  }

  #openApart(hashes: BlockHashes, firstRow: number, striped: StripedKv): StoredSequence {
    const handle = this.cache.open(hashes, { promptLength: 1, firstRow });
    return new StoredSequence({ cache: this.cache, handle, keep: false, striped });
  }

  #endRepair(sequence: StoredSequence): void {
    if (sequence.repair !== undefined) this.cache.close(sequence.repair.handle, false);
    sequence.repair = undefined;
  }

  #giveUp({ handle, stripes, repairs }: StoredSequence): void {
    if (stripes === undefined || repairs !== undefined) return;
    if (stripes.advance()) this.cache.giveUp(handle, stripes.end * this.cache.geometry.segmentRows);
  }

  #send(sequence: StoredSequence): void {
    const { stripes, remoteEnd } = sequence;
    if (stripes === undefined || this.#stripes === undefined) return;
    const end = Math.floor(sequence.length / this.cache.geometry.segmentRows);
    for (let segment = remoteEnd; segment < end; segment++)
      this.#stripes.send(stripes, segment, () => this.#read(sequence, segment, stripes.sequenceId));
  }

  async #read(sequence: StoredSequence, segment: number, sequenceId: string): Promise<SegmentRows> {
    const [part, more] = sequence.parts("global", segment);
    const rowCount = this.cache.geometry.segmentRows;
    assert(part?.rowCount === rowCount && more === undefined, "a finished segment of its own is one extent");
    const { dtype } = this.#storage;
    return { sequenceId, segment, rowCount, dtype, layers: await this.#storage.read(part.extent) };
  }
}
