import type { Clock, EntryResult, KvSequence, ModelRunner, StepEntry } from "@drover/core";
import { type KvGeometry, kvBytes } from "@drover/kv";

class FakeSequence implements KvSequence {
  length = 0;
  readonly cachedCount = 0;
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

/** Milliseconds that a fake step of these entries takes. */
export type FakeCost = (entries: ReadonlyArray<Readonly<{ position: number; rowCount: number }>>) => number;

/** A runner that computes nothing: it accounts for KV as a real one does, and its steps take the time that it is told, on its own clock. */
export class FakeRunner implements ModelRunner {
  readonly hiddenSize = 1;
  readonly sharesPrefixes = false;
  readonly stripedRowsFree = 0;
  readonly stripedRowsMax = 0;
  readonly kvBytesMax: number;
  readonly times = { sessionMs: 0, exchangeMs: 0, totalMs: 0 };
  readonly clock: Clock;
  /** The most bytes that were ever in use. */
  kvBytesPeak = 0;
  stepCount = 0;
  readonly #geometry: KvGeometry;
  readonly #cost: FakeCost;
  readonly #open = new Set<FakeSequence>();
  #nowMs = 0;

  constructor(geometry: KvGeometry, kvBytesMax: number, cost: FakeCost = () => 1) {
    this.#geometry = geometry;
    this.kvBytesMax = kvBytesMax;
    this.#cost = cost;
    this.clock = { now: () => this.#nowMs, monotonic: () => this.#nowMs, sleep: () => Promise.resolve() };
  }

  get kvBytesUsed(): number {
    let sum = 0;
    for (const sequence of this.#open) sum += sequence.byteCount;
    return sum;
  }

  get kvUse(): ModelRunner["kvUse"] {
    return { global: { referenced: this.kvBytesUsed, cached: 0 }, local: { referenced: 0, cached: 0 } };
  }

  bytesNeeded(sequence: KvSequence, rowCount: number): number {
    const mine = this.#own(sequence);
    const end = Math.max(mine.reserved, mine.length + rowCount);
    return kvBytes(this.#geometry, mine.length, end) - mine.byteCount;
  }

  get openCount(): number {
    return this.#open.size;
  }

  isStriped(): boolean {
    return false;
  }

  repair(): undefined {
    return undefined;
  }

  openSequence(): KvSequence {
    const sequence = new FakeSequence(this.#geometry);
    this.#open.add(sequence);
    return sequence;
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

  step(entries: readonly StepEntry[]): Promise<readonly EntryResult[]> {
    this.stepCount += 1;
    this.#nowMs += this.#cost(
      entries.map(({ sequence, tokenIds }) => ({ position: sequence.length, rowCount: tokenIds.length })),
    );
    const row = { topIds: [1], topValues: new Float32Array([0]), logSumExp: 0, askedLogit: 0, full: undefined };
    return Promise.resolve(entries.map(() => ({ kind: "computed", rows: [row], experts: new Uint16Array(0) })));
  }

  commit(sequence: KvSequence, rowCount: number): void {
    const mine = this.#own(sequence);
    mine.length += rowCount;
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
