import type { ModelConfig } from "@drover/checkpoint";
import { assert } from "@drover/core";
import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { Precision } from "../kernels/activations.ts";
import { ExchangeKernels } from "../kernels/exchange-kernels.ts";
import { NULL } from "../kernels/kernel-launcher.ts";
import type { KernelLibrary } from "../kernels/kernel-library.ts";
import { ModelKernels } from "../kernels/model-kernels.ts";
import type { Routing } from "../kernels/product.ts";
import { EXPERT_ROWS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { DeviceMlp } from "../model/device-weights.ts";
import { swigluRows } from "../model/swiglu-rows.ts";
import type { ExpertJobs } from "./expert-jobs.ts";

const F32 = 4;
const JOB_WORDS = 4;

/** Rows of experts on their way through a card: from this process's pinned memory and back to it, some at a time. */
export class ExpertRows {
  /** What is computed, sorted by expert, and what came of it: [EXPERT_ROWS_MAX, D]. */
  readonly z: Float32Array;
  readonly y: Float32Array;
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #kernels: ModelKernels;
  readonly #exchange: ExchangeKernels;
  readonly #width: number;
  readonly #host: Readonly<{ z: HostMemory; y: HostMemory; lists: HostMemory }>;
  readonly #card: Readonly<Record<"x" | "gateUp" | "hidden" | "y" | "lists", DeviceAddress>>;

  constructor(
    card: Readonly<{ device: CudaDevice; library: KernelLibrary; memory: DeviceMemory; stream: Stream }>,
    config: ModelConfig,
    precision: Precision,
  ) {
    const { device, memory, stream } = card;
    // Attention's sizes are of no use here: kernels are compiled when they are asked for.
    this.#kernels = new ModelKernels(device, card.library, { ...config, pageRows: 1, kv: "f32" }, precision, stream);
    this.#exchange = new ExchangeKernels(device, card.library, precision, stream);
    this.#device = device;
    this.#stream = stream;
    this.#width = config.hiddenSize;
    const rowsBytes = EXPERT_ROWS_MAX * F32 * config.hiddenSize;
    const listBytes = F32 * (1 + JOB_WORDS * EXPERT_ROWS_MAX);
    const pinned = (byteCount: number) => device.allocateHost(byteCount);
    this.#host = { z: pinned(rowsBytes), y: pinned(rowsBytes), lists: pinned(listBytes) };
    this.z = floats(this.#host.z);
    this.y = floats(this.#host.y);
    const { activations } = this.#kernels;
    // What fills rows up to their stride is multiplied by zero, and has to be a number.
    const rows = (width: number) => {
      const address = memory.allocate("activations", EXPERT_ROWS_MAX * activations.rowBytes(width));
      device.fill(address, 0, EXPERT_ROWS_MAX * activations.rowBytes(width), stream);
      return address;
    };
    this.#card = {
      x: rows(config.hiddenSize),
      hidden: rows(config.expertWidth),
      gateUp: memory.allocate("activations", precision === "f32" ? 2 * F32 * EXPERT_ROWS_MAX * config.expertWidth : 1),
      y: memory.allocate("exchange", rowsBytes),
      lists: memory.allocate("exchange", listBytes),
    };
  }

  /** Rows of a job of so many rows and experts. */
  readonly rowsOfJob = (rowCount: number, expertCount: number): number =>
    this.#kernels.linears.rowsOfJob(rowCount, expertCount);

  /** What experts read, as activations, and what came of it, [EXPERT_ROWS_MAX, D] f32. */
  get addresses(): Readonly<{ x: DeviceAddress; y: DeviceAddress }> {
    return this.#card;
  }

  /** Enqueues a layer's experts for the rows that lie there. */
  multiply(experts: DeviceMlp, rowCount: number, routing: Routing): void {
    const { x, y, gateUp, hidden } = this.#card;
    swigluRows(this.#kernels, experts, rowCount, { x, y, gateUp, hidden, routing });
  }

  /** Enqueues a layer's experts for the rows in {@link z}; they are in {@link y} when the stream comes to it. */
  enqueue(experts: DeviceMlp, { rowCount, expertCount, jobs }: ExpertJobs): void {
    assert(rowCount > 0 && rowCount <= EXPERT_ROWS_MAX, "rows are computed as many at a time as fit");
    const { x, y, lists } = this.#card;
    const { buffer, byteOffset } = this.#host.lists.bytes;
    const words = new Int32Array(buffer, byteOffset, 1 + jobs.length);
    words.set([jobs.length / JOB_WORDS]);
    words.set(jobs, 1);
    this.#device.copyFromHost(lists, this.#host.lists, 0, words.byteLength, this.#stream);
    this.#exchange.take(rowCount, { z: this.#host.z.address, x, width: this.#width, expertCount });
    const jobCountMax = Math.max(1, jobs.length / JOB_WORDS);
    const list = { jobs: lists + BigInt(F32), jobCount: lists, jobCountMax, expertCount };
    const routing = { ...list, scales: NULL, order: NULL };
    this.multiply(experts, rowCount, routing);
    this.#device.copyToHost(this.#host.y, 0, y, rowCount * F32 * this.#width, this.#stream);
  }

  /** Compiles what any number of rows of a layer needs, without a row. Errors: the compiler's. */
  prepare(experts: DeviceMlp): void {
    const none = new Int32Array(0);
    for (let rowCount = 1; rowCount <= EXPERT_ROWS_MAX; rowCount *= 2)
      this.enqueue(experts, { rowCount, expertCount: 1, places: [], jobs: none });
    this.#device.synchronize(this.#stream);
  }

  close(): void {
    for (const memory of Object.values(this.#host)) this.#device.freeHost(memory);
  }
}

function floats({ bytes }: HostMemory): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / F32);
}
