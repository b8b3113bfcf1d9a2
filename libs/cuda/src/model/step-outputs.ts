import type { ModelConfig } from "@drover/checkpoint";
import type { CudaDevice, HostMemory, Stream } from "../driver/cuda-device.ts";
import { TOP_COUNT_MAX } from "../limits.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { DrawnRow } from "./step-draws.ts";
import type { HeadRun } from "./text-program.ts";

const WORD = 4;

/** What the head says of one wanted row, from its raw logits. */
export type RankedRow = Readonly<{
  /** Best first. */
  topIds: Int32Array;
  topValues: Float32Array;
  logSumExp: number;
  askedLogit: number;
  /** All of them, [V], where they were asked for, or the card could not say for certain what is drawn. */
  logits: Float32Array | undefined;
  /** What the card has drawn. */
  drawn?: DrawnRow | undefined;
}>;

/** What a step answers, in pinned memory. */
export class StepOutputs {
  readonly #device: CudaDevice;
  readonly #buffers: StepBuffers;
  readonly #rowsMax: number;
  readonly #moeCount: number;
  readonly #host: HostMemory;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #vocabSize: number;
  /** Whole rows of logits: as many as a step has asked for yet. */
  #logits: HostMemory | undefined;
  /** Of each wanted row that has its logits there, where. */
  readonly #logitsAt = new Map<number, number>();

  constructor(
    device: CudaDevice,
    buffers: StepBuffers,
    rowsMax: number,
    { moeLayers, vocabSize }: Pick<ModelConfig, "moeLayers" | "vocabSize">,
  ) {
    const moeCount = moeLayers.length;
    this.#vocabSize = vocabSize;
    this.#device = device;
    this.#buffers = buffers;
    this.#rowsMax = rowsMax;
    this.#moeCount = moeCount;
    this.#host = device.allocateHost(WORD * rowsMax * (2 * TOP_COUNT_MAX + 2 + moeCount));
    const { buffer, byteOffset, byteLength } = this.#host.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteLength / WORD);
    this.#floats = new Float32Array(buffer, byteOffset, byteLength / WORD);
  }

  /** Says which wanted rows' logits are fetched whole in the step that begins, ascending. Not to be called before the last step is over. */
  expectLogits(rows: readonly number[]): void {
    this.#logitsAt.clear();
    for (const [place, row] of rows.entries()) this.#logitsAt.set(row, place * WORD * this.#vocabSize);
    const byteCount = WORD * rows.length * this.#vocabSize;
    if (byteCount <= (this.#logits?.bytes.byteLength ?? 0)) return;
    if (this.#logits !== undefined) this.#device.freeHost(this.#logits);
    this.#logits = this.#device.allocateHost(byteCount);
  }

  /** Enqueues copies of the expected rows' logits that a run of the head has made, before the next one overwrites them. */
  fetchLogits({ first, count }: HeadRun, stream: Stream): void {
    const bytes = WORD * this.#vocabSize;
    for (let row = first; row < first + count; row++) {
      const place = this.#logitsAt.get(row);
      if (place === undefined || this.#logits === undefined) continue;
      this.#device.copyToHost(this.#logits, place, this.#buffers.logits + BigInt((row - first) * bytes), bytes, stream);
    }
  }

  /** Enqueues the copies of a run of the head, and of the experts of so many rows. */
  fetch(runs: readonly HeadRun[], expertRows: number, stream: Stream): void {
    const { topIds, topValues, logSumExps, askedValues, chosen } = this.#buffers;
    const copy = (place: number, source: bigint, first: number, count: number) => {
      if (count === 0) return;
      const bytes = [WORD * (place + first), source + BigInt(WORD * first), WORD * count] as const;
      this.#device.copyToHost(this.#host, ...bytes, stream);
    };
    for (const { first, count, topCount } of runs) {
      copy(this.#idsAt, topIds, first * TOP_COUNT_MAX, count * topCount);
      copy(this.#valuesAt, topValues, first * TOP_COUNT_MAX, count * topCount);
      copy(this.#sumsAt, logSumExps, first, count);
      copy(this.#askedAt, askedValues, first, count);
    }
    copy(this.#expertsAt, chosen, 0, expertRows * this.#moeCount);
  }

  /** The rows of a run, once it has come, with so many likeliest tokens or all that were found. The lists are views: good until the next step. */
  rows({ first, count, topCount }: HeadRun, wantedCount: number): RankedRow[] {
    const taken = Math.min(topCount, wantedCount);
    return Array.from({ length: count }, (_, i) => {
      const at = first * TOP_COUNT_MAX + i * topCount;
      return {
        topIds: this.#words.subarray(this.#idsAt + at, this.#idsAt + at + taken),
        topValues: this.#floats.subarray(this.#valuesAt + at, this.#valuesAt + at + taken),
        logSumExp: this.#floats[this.#sumsAt + first + i] as number,
        askedLogit: this.#floats[this.#askedAt + first + i] as number,
        logits: this.#logitsOf(first + i),
      };
    });
  }

  /** Experts of rows [first, first + count), [count, MoE layers]. */
  experts(first: number, count: number): Uint16Array {
    const at = this.#expertsAt + first * this.#moeCount;
    return Uint16Array.from(this.#words.subarray(at, at + count * this.#moeCount));
  }

  close(): void {
    this.#device.freeHost(this.#host);
    if (this.#logits !== undefined) this.#device.freeHost(this.#logits);
  }

  #logitsOf(row: number): Float32Array | undefined {
    const place = this.#logitsAt.get(row);
    if (place === undefined || this.#logits === undefined) return undefined;
    const { buffer, byteOffset } = this.#logits.bytes;
    return new Float32Array(buffer, byteOffset + place, this.#vocabSize);
  }

  get #idsAt(): number {
    return 0;
  }
  get #valuesAt(): number {
    return this.#rowsMax * TOP_COUNT_MAX;
  }
  get #sumsAt(): number {
    return 2 * this.#rowsMax * TOP_COUNT_MAX;
  }
  get #askedAt(): number {
    return this.#sumsAt + this.#rowsMax;
  }
  get #expertsAt(): number {
    return this.#askedAt + this.#rowsMax;
  }
}
