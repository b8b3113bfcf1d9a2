import type { CudaDevice, HostMemory, Stream } from "../driver/cuda-device.ts";
import { TOP_COUNT_MAX } from "../limits.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { HeadRun } from "./text-program.ts";

const WORD = 4;

/** What the head says of one wanted row, from its raw logits. */
export type RankedRow = Readonly<{
  /** Best first. */
  topIds: Int32Array;
  topValues: Float32Array;
  logSumExp: number;
  askedLogit: number;
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

  constructor(device: CudaDevice, buffers: StepBuffers, rowsMax: number, moeCount: number) {
    this.#device = device;
    this.#buffers = buffers;
    this.#rowsMax = rowsMax;
    this.#moeCount = moeCount;
    this.#host = device.allocateHost(WORD * rowsMax * (2 * TOP_COUNT_MAX + 2 + moeCount));
    const { buffer, byteOffset, byteLength } = this.#host.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteLength / WORD);
    this.#floats = new Float32Array(buffer, byteOffset, byteLength / WORD);
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

  /** The rows of a run, once it has come. The lists are views: good until the next step. */
  rows({ first, count, topCount }: HeadRun): RankedRow[] {
    return Array.from({ length: count }, (_, i) => {
      const at = first * TOP_COUNT_MAX + i * topCount;
      return {
        topIds: this.#words.subarray(this.#idsAt + at, this.#idsAt + at + topCount),
        topValues: this.#floats.subarray(this.#valuesAt + at, this.#valuesAt + at + topCount),
        logSumExp: this.#floats[this.#sumsAt + first + i] as number,
        askedLogit: this.#floats[this.#askedAt + first + i] as number,
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
