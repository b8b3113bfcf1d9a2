import type { ModelConfig } from "@drover/checkpoint";
import { at } from "@drover/core";
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
  /** Whether the card could not say for certain what is drawn, and the logits are gone. */
  isUnsure?: boolean;
}>;

type Fetched = Readonly<{ memory: HostMemory; words: Int32Array; floats: Float32Array }>;

/** What a step answers, in pinned memory. */
export class StepOutputs {
  readonly #device: CudaDevice;
  readonly #buffers: StepBuffers;
  readonly #rowsMax: number;
  readonly #moeCount: number;
  /** Of a step, and of the one that is enqueued behind it, in turns. */
  readonly #hosts: readonly [Fetched, Fetched];
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
    const fetched = (): Fetched => {
      const memory = device.allocateHost(WORD * rowsMax * (2 * TOP_COUNT_MAX + 2 + moeCount));
      const { buffer, byteOffset, byteLength } = memory.bytes;
      const own = [buffer, byteOffset, byteLength / WORD] as const;
      return { memory, words: new Int32Array(...own), floats: new Float32Array(...own) };
    };
    this.#hosts = [fetched(), fetched()];
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

  /** Enqueues the copies of a run of the head, and of the experts of so many rows. `turn`: of two steps on their way each has its own, 0 or 1. */
  fetch(runs: readonly HeadRun[], expertRows: number, turn: number, stream: Stream): void {
    const { memory } = at(this.#hosts, turn);
    const { topIds, topValues, logSumExps, askedValues, chosen } = this.#buffers;
    const copy = (place: number, source: bigint, first: number, count: number) => {
      if (count === 0) return;
      const bytes = [WORD * (place + first), source + BigInt(WORD * first), WORD * count] as const;
      this.#device.copyToHost(memory, ...bytes, stream);
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
  rows({ first, count, topCount }: HeadRun, wantedCount: number, turn: number): RankedRow[] {
    const { words, floats } = at(this.#hosts, turn);
    const taken = Math.min(topCount, wantedCount);
    return Array.from({ length: count }, (_, i) => {
      const from = first * TOP_COUNT_MAX + i * topCount;
      return {
        topIds: words.subarray(this.#idsAt + from, this.#idsAt + from + taken),
        topValues: floats.subarray(this.#valuesAt + from, this.#valuesAt + from + taken),
        logSumExp: floats[this.#sumsAt + first + i] as number,
        askedLogit: floats[this.#askedAt + first + i] as number,
        logits: this.#logitsOf(first + i),
      };
    });
  }

  /** Experts of rows [first, first + count), [count, MoE layers]. */
  experts(first: number, count: number, turn: number): Uint16Array {
    const from = this.#expertsAt + first * this.#moeCount;
    return Uint16Array.from(at(this.#hosts, turn).words.subarray(from, from + count * this.#moeCount));
  }

  close(): void {
    for (const { memory } of this.#hosts) this.#device.freeHost(memory);
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
