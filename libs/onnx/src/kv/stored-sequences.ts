import { assert, type KvSequence, type KvUse, type SegmentRows, type SequencePrompt } from "@drover/core";
import { BlockHashes, type HashSeed, KvCache, type KvGeometry } from "@drover/kv";
import { ContextStripes, type StripeOptions } from "./context-stripes.ts";
import { ExtentStore } from "./extent-store.ts";
import type { KvShape } from "./kv-rows.ts";
import { hashesOf } from "./prompt-hashes.ts";
import { layersByKind, StoredSequence } from "./stored-sequence.ts";

export type StoredSequencesOptions = Readonly<{
  kvBytesMax: number;
  prefixCache: boolean;
  /** What the chains that routers send begin with. */
  hashSeed: HashSeed;
  /** Where the old rows of long sequences go; absent: nowhere. */
  stripes: StripeOptions | undefined;
}>;

/** Segments on their way to holders at which a sequence waits: they are its own until they have arrived. */
const UNDER_WAY_MAX = 2;

/** The KV of all sequences that this worker computes: in its own memory, of long ones also with context workers. */
export class StoredSequences {
  readonly cache: KvCache;
  readonly #store: ExtentStore;
  readonly #layers: ReturnType<typeof layersByKind>;
  readonly #stripes: ContextStripes | undefined;
  readonly #hashSeed: HashSeed;

  constructor(geometry: KvGeometry, shape: KvShape, options: StoredSequencesOptions) {
    const { kvBytesMax: bytesMax, prefixCache, hashSeed, stripes } = options;
    this.#store = new ExtentStore(geometry, shape);
    this.cache = new KvCache(geometry, this.#store, { bytesMax, prefixCache });
    this.#layers = layersByKind(geometry);
    this.#stripes = stripes && new ContextStripes(geometry, stripes);
    this.#hashSeed = hashSeed;
  }

  get use(): Readonly<{ global: KvUse; local: KvUse }> {
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
    if (prompt !== undefined && this.#stripes?.includes(prompt.rowCountMax)) {
      return this.#openApart(0, { stripes: this.#stripes.open(prompt.rowCountMax) });
    }
    const hashes = prompt === undefined ? new BlockHashes(this.#hashSeed) : hashesOf(prompt, this.#hashSeed);
    // Without a prompt the chain stays empty until rows are committed; they are not kept, so nothing finds them.
    const promptLength = prompt?.tokenIds.length ?? 1;
    const handle = this.cache.open(hashes, { promptLength, reuse: prompt?.reuse ?? false });
    return new StoredSequence(handle, prompt !== undefined, this.cache, this.#store, this.#layers);
  }

  /** Segments that holders have meanwhile are let go of first. */
  reserve(sequence: StoredSequence, rowCount: number): boolean {
    this.#giveUp(sequence);
    return this.cache.reserve(sequence.handle, rowCount);
  }

  bytesNeeded(sequence: StoredSequence, rowCount: number): number {
    this.#giveUp(sequence);
    return this.cache.bytesNeeded(sequence.handle, rowCount);
  }

  commit(sequence: StoredSequence, rowCount: number): void {
    sequence.commit(rowCount);
    this.#send(sequence);
  }

  /** What is to be waited for before a step: what its sequences have on its way to holders is bounded. */
  sent(entries: ReadonlyArray<Readonly<{ sequence: KvSequence }>>): Promise<unknown> | undefined {
    if (this.stripedCount === 0) return undefined;
    const waits = entries.flatMap(({ sequence }) => {
      const { stripes } = stored(sequence);
      return stripes !== undefined && stripes.underWay.size >= UNDER_WAY_MAX ? [...stripes.underWay.values()] : [];
    });
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  repair(sequence: StoredSequence): StoredSequence | undefined {
    const { stripes } = sequence;
    const lost = stripes?.lost;
    if (sequence.repair !== undefined && sequence.repair.repairs !== lost) this.#endRepair(sequence);
    if (stripes === undefined || lost === undefined) return undefined;
    const rows = this.cache.geometry.segmentRows;
    sequence.repair ??= this.#openApart(lost * rows, { stripes, repairs: lost });
    if (sequence.repair.length < sequence.repair.rowCountMax) return sequence.repair;
    // It is computed: until a holder has it the sequence waits.
    this.#send(sequence.repair);
    return undefined;
  }

  close(sequence: StoredSequence): void {
    this.#endRepair(sequence);
    this.cache.close(sequence.handle, sequence.keep);
    if (sequence.stripes !== undefined) this.#stripes?.close(sequence.stripes);
  }

  #openApart(firstRow: number, striped: StripedKv): StoredSequence {
    const hashes = new BlockHashes(this.#hashSeed);
    const handle = this.cache.open(hashes, { promptLength: 1, firstRow });
    return new StoredSequence(handle, false, this.cache, this.#store, this.#layers, striped);
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
      if (!stripes.isPlaced(segment)) this.#stripes.send(stripes, this.#rows(sequence, segment, stripes.sequenceId));
  }

  #rows({ handle }: StoredSequence, segment: number, sequenceId: string): SegmentRows {
    const [part, more] = this.cache.parts(handle, "global", segment);
    const rowCount = this.cache.geometry.segmentRows;
    assert(part?.rowCount === rowCount && more === undefined, "a finished segment of its own is one extent");
    const { dtype } = this.#store.layout;
    return { sequenceId, segment, rowCount, dtype, layers: this.#store.layers(part.extent) };
  }
}

type StripedKv = NonNullable<ConstructorParameters<typeof StoredSequence>[5]>;

export function stored(sequence: KvSequence): StoredSequence {
  assert(sequence instanceof StoredSequence, "a sequence is stored where it was opened");
  return sequence;
}
