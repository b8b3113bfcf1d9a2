import type { KvSequence, SequenceStore } from "@drover/core";
import { type KvGeometry, kvBytes } from "@drover/kv";

class FakeSequence implements KvSequence {
  length = 0;
  readonly cachedCount = 0;
  readonly sharedCount = 0;
  readonly rowCountMax = Number.POSITIVE_INFINITY;
  reserved = 0;
  readonly #geometry: KvGeometry;

  constructor(geometry: KvGeometry) {
    this.#geometry = geometry;
  }

  get byteCount(): number {
    return kvBytes(this.#geometry, this.length, Math.max(this.length, this.reserved));
  }
}

/** A store that accounts for KV as a real one does, and finds no prefixes. */
export class FakeSequences implements SequenceStore {
  sharesPrefixes = false;
  readonly stripedRowsFree: number = 0;
  readonly stripedRowsMax: number = 0;
  readonly kvBytesMax: number;
  /** Sequences that other workers have something of on the way, and when that has arrived. */
  readonly unsettled = new Map<KvSequence, Promise<void>>();
  /** Sequences of which lost rows are on their way to another worker. */
  readonly mending = new Set<KvSequence>();
  /** Told of each sequence that is opened. */
  onOpen: (sequence: KvSequence) => void = () => undefined;
  /** The most bytes that were ever in use. */
  kvBytesPeak = 0;
  readonly #geometry: KvGeometry;
  readonly #open = new Set<FakeSequence>();

  constructor(geometry: KvGeometry, kvBytesMax: number) {
    this.#geometry = geometry;
    this.kvBytesMax = kvBytesMax;
  }

  get kvBytesUsed(): number {
    let sum = 0;
    for (const sequence of this.#open) sum += sequence.byteCount;
    return sum;
  }

  get kvUse(): SequenceStore["kvUse"] {
    return { global: { referenced: this.kvBytesUsed, cached: 0 }, local: { referenced: 0, cached: 0 } };
  }

  get openCount(): number {
    return this.#open.size;
  }

  isStriped(): boolean {
    return false;
  }

  isSettled(sequence: KvSequence): boolean {
    return !this.unsettled.has(sequence);
  }

  settled(sequences: readonly KvSequence[]): Promise<void> {
    return Promise.race(sequences.flatMap((sequence) => this.unsettled.get(sequence) ?? []));
  }

  repair(sequence: KvSequence): "sending" | undefined {
    return this.mending.has(sequence) ? "sending" : undefined;
  }

  prepare(): undefined {
    return undefined;
  }

  open(): KvSequence {
    const sequence = new FakeSequence(this.#geometry);
    this.#open.add(sequence);
    this.onOpen(sequence);
    return sequence;
  }

  bytesNeeded(sequence: KvSequence, rowCount: number): number {
    const mine = this.#own(sequence);
    const end = Math.max(mine.reserved, mine.length + rowCount);
    return kvBytes(this.#geometry, mine.length, end) - mine.byteCount;
  }

  reserve(sequence: KvSequence, rowCount: number): boolean {
    const mine = this.#own(sequence);
    const { length, reserved } = mine;
    if (length + rowCount <= reserved) return true;
    const grown = kvBytes(this.#geometry, length, length + rowCount) - mine.byteCount;
    if (this.kvBytesUsed + grown > this.kvBytesMax) return false;
    mine.reserved = length + rowCount;
    this.kvBytesPeak = Math.max(this.kvBytesPeak, this.kvBytesUsed);
    return true;
  }

  commit(sequence: KvSequence, tokenIds: Int32Array): void {
    const mine = this.#own(sequence);
    mine.length += tokenIds.length;
    if (mine.length > mine.reserved) throw new Error("only reserved rows are committed");
  }

  close(sequence: KvSequence): void {
    this.#open.delete(this.#own(sequence));
  }

  #own(sequence: KvSequence): FakeSequence {
    if (!(sequence instanceof FakeSequence) || !this.#open.has(sequence)) throw new Error("not an open sequence");
    return sequence;
  }
}
