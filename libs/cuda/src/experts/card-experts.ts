import type { ModelConfig } from "@drover/checkpoint";
import { assert, at, type ExpertRunner, type RowLinkAnswers } from "@drover/core";
import type { CudaDevice, Event, Stream } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import { passed } from "../driver/passed.ts";
import type { Precision } from "../kernels/activations.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { ModelKernels } from "../kernels/model-kernels.ts";
import { EXPERT_ROWS_MAX } from "../limits.ts";
import { LinkAnswers } from "../links/link-answers.ts";
import { LinkKernels } from "../links/link-kernels.ts";
import { LinkedRows } from "../links/linked-rows.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { checkModelForCard } from "../model/check-model.ts";
import { LinearUploader } from "../model/device-linear.ts";
import type { TextSource } from "../model/device-weights.ts";
import { matrixBytes } from "../model/weight-format.ts";
import { type AskedRows, expertJobs } from "./expert-jobs.ts";
import { ExpertRows } from "./expert-rows.ts";
import { ExpertTables } from "./expert-tables.ts";

export type CardExpertsOptions = Readonly<{
  precision: Precision;
  /** Where machine code is kept from one start to the next; undefined: nowhere. */
  cacheFolder: string | undefined;
}>;

/** Rows that wait for the card: at most {@link EXPERT_ROWS_MAX}. */
type Call = AskedRows &
  Readonly<{
    layer: number;
    rowCount: number;
    z_aD: Float32Array;
    y_aD: Float32Array;
    settle: PromiseWithResolvers<void>;
    /** Ends the use of what was held when it was asked for. */
    end: () => void;
  }>;

/**
 * Routed experts on a card, for rows of this process's memory. Whatever waits for one layer is computed at once, while this thread does other things.
 * Experts are loaded on a stream of their own meanwhile.
 */
export class CardExperts implements ExpertRunner, Disposable {
  readonly hiddenSize: number;
  /** What is held. */
  readonly tables: ExpertTables;
  readonly memory: DeviceMemory;
  /** Bytes on the card of one expert. */
  readonly expertBytes: number;
  readonly #parts: Parts;
  readonly #done: Event;
  readonly #waiting: Call[] = [];
  readonly #failed = Promise.withResolvers<never>();
  readonly #answers: LinkAnswers[] = [];
  #isRunning = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.hiddenSize = parts.config.hiddenSize;
    this.tables = parts.tables;
    this.memory = parts.memory;
    this.expertBytes = parts.expertBytes;
    this.#done = parts.device.createEvent();
    // Whoever asks for it hears of it; it may be that nobody does.
    this.#failed.promise.catch(() => undefined);
  }

  /** Takes the memory for rows and compiles; holds no expert yet. Errors: the checkpoint's; `invalid_argument` for a model that no kernel fits; `overloaded` where the card is full; the compiler's. */
  static async open(
    cuda: Cuda,
    config: ModelConfig,
    source: TextSource,
    { precision, cacheFolder }: CardExpertsOptions,
  ): Promise<CardExperts> {
    checkModelForCard(config);
    const { device } = cuda;
    const memory = new DeviceMemory(device);
    const library = new KernelLibrary(cuda, cacheFolder);
    // A step of another worker waits for these rows, and has nothing else to do; one of this card can be overtaken.
    const streams = { rows: device.createStream(true), upload: device.createStream() };
    // Kernels of attention are not compiled before somebody asks for them.
    const sizes = { ...config, pageRows: 1, kv: "f32" } as const;
    const { linears } = new ModelKernels(device, library, sizes, precision, streams.upload);
    const uploader = new LinearUploader(device, memory, linears, streams.upload);
    const tables = await ExpertTables.open(config, source, { device, memory, uploader, stream: streams.upload });
    const rows = new ExpertRows({ device, library, memory, stream: streams.rows }, config, precision);
    const [layer] = config.moeLayers;
    if (layer !== undefined) rows.prepare(tables.layer(layer));
    const expertBytes = layer === undefined ? 0 : bytesOf(tables, layer);
    const link = {
      device,
      memory,
      stream: streams.rows,
      kernels: new LinkKernels(device, library, precision, streams.rows),
    };
    const linked = new LinkedRows(link, config, rows);
    if (layer !== undefined) linked.prepare(tables.layer(layer));
    return new CardExperts({ config, device, memory, library, streams, uploader, tables, rows, linked, expertBytes });
  }

  /** Rejects when the card has failed, with its own words; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  has(layer: number, expert: number): boolean {
    return this.tables.has(layer, expert);
  }

  load(layer: number, expert: number): Promise<void> {
    return this.tables.load(layer, expert);
  }

  unload(layer: number, expert: number): void {
    this.tables.unload(layer, expert);
  }

  loaded(): { layer: number; experts: number[] }[] {
    return this.tables.loaded();
  }

  /** What computes rows that other cards of this host write into memory; one for all of them. `onRows` learns of the rows. */
  answers(onRows: (layer: number, expert: number, rowCount: number) => void): RowLinkAnswers {
    const { config, device, streams, tables, linked } = this.#parts;
    const onFault = (error: unknown) => this.#failed.reject(error);
    const answers = new LinkAnswers({ config, device, stream: streams.rows, tables, rows: linked, onRows, onFault });
    this.#answers.push(answers);
    return answers;
  }

  run(
    layer: number,
    experts: ArrayLike<number>,
    counts: ArrayLike<number>,
    z_aD: Float32Array,
    y_aD: Float32Array,
  ): Promise<void> {
    const width = this.hiddenSize;
    let first = 0;
    const parts = partsOf({ experts, counts }).map((part) => {
      const rowCount = sum(part.counts);
      assert(
        part.experts.every((expert) => this.has(layer, expert)),
        "only loaded experts are run",
      );
      const of = (rows: Float32Array) => rows.subarray(first * width, (first + rowCount) * width);
      const settle = Promise.withResolvers<void>();
      this.#waiting.push({
        layer,
        ...part,
        rowCount,
        z_aD: of(z_aD),
        y_aD: of(y_aD),
        settle,
        end: this.tables.begin(),
      });
      first += rowCount;
      return settle.promise;
    });
    if (!this.#isRunning) void this.#work();
    return Promise.all(parts).then(() => undefined);
  }

  /** Computes what waits, layer by layer as it came. */
  async #work(): Promise<void> {
    this.#isRunning = true;
    // What is asked for in the same turn of the loop goes along.
    await Promise.resolve();
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        await this.#compute(batch);
        for (const { settle } of batch) settle.resolve();
      } catch (error) {
        this.#failed.reject(error);
        for (const { settle } of batch) settle.reject(error);
      }
      for (const { end } of batch) end();
    }
    this.#isRunning = false;
  }

  /** The calls of the layer that waits longest, as many as fit. */
  #take(): Call[] {
    const layer = this.#waiting[0]?.layer;
    const taken: Call[] = [];
    let rowCount = 0;
    for (const call of this.#waiting) {
      if (call.layer !== layer || rowCount + call.rowCount > EXPERT_ROWS_MAX) continue;
      taken.push(call);
      rowCount += call.rowCount;
    }
    const left = this.#waiting.filter((call) => !taken.includes(call));
    this.#waiting.splice(0, this.#waiting.length, ...left);
    return taken;
  }

  async #compute(calls: readonly Call[]): Promise<void> {
    const { device, rows, tables, streams } = this.#parts;
    const jobs = expertJobs(calls, rows.rowsOfJob);
    if (jobs.rowCount === 0) return;
    const width = this.hiddenSize;
    eachRun(calls, jobs.places, ({ z_aD }, from, count, place) =>
      rows.z.set(z_aD.subarray(from * width, (from + count) * width), place * width),
    );
    rows.enqueue(tables.layer(at(calls, 0).layer), jobs);
    device.record(this.#done, streams.rows);
    await passed(device, this.#done);
    eachRun(calls, jobs.places, ({ y_aD }, from, count, place) =>
      y_aD.set(rows.y.subarray(place * width, (place + count) * width), from * width),
    );
  }

  /** Gives everything back to the card. */
  [Symbol.dispose](): void {
    const { device, memory, library, streams, rows, tables, uploader } = this.#parts;
    for (const stream of Object.values(streams)) device.synchronize(stream);
    for (const answers of this.#answers) answers.close();
    device.destroyEvent(this.#done);
    rows.close();
    tables.close();
    uploader.close();
    library.close();
    memory.close();
    for (const stream of Object.values(streams)) device.destroyStream(stream);
  }
}

type Parts = Readonly<{
  config: ModelConfig;
  device: CudaDevice;
  memory: DeviceMemory;
  library: KernelLibrary;
  streams: Readonly<{ rows: Stream; upload: Stream }>;
  uploader: LinearUploader;
  tables: ExpertTables;
  rows: ExpertRows;
  linked: LinkedRows;
  expertBytes: number;
}>;

/** What an expert of a layer takes. */
function bytesOf(tables: ExpertTables, layer: number): number {
  const { gateUp, down } = tables.layer(layer);
  return [gateUp, down].reduce((total, { format, outSize, inSize }) => {
    const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
    return total + weightBytes + 4 * scaleCount;
  }, 0);
}

/** Cuts rows into parts that fit. */
function partsOf({ experts, counts }: AskedRows): readonly { experts: number[]; counts: number[] }[] {
  const parts: { experts: number[]; counts: number[] }[] = [];
  let room = 0;
  for (let i = 0; i < experts.length; i++) {
    for (let left = at(counts, i); left > 0; ) {
      if (room === 0) {
        parts.push({ experts: [], counts: [] });
        room = EXPERT_ROWS_MAX;
      }
      const count = Math.min(left, room);
      const part = at(parts, parts.length - 1);
      part.experts.push(at(experts, i));
      part.counts.push(count);
      room -= count;
      left -= count;
    }
  }
  return parts;
}

/** Each call's rows of each of its experts: rows [from, from + count) of the call, which stand at `place` and on. */
function eachRun(
  calls: readonly Call[],
  places: readonly Int32Array[],
  use: (call: Call, from: number, count: number, place: number) => void,
): void {
  for (const [c, call] of calls.entries()) {
    let from = 0;
    for (let i = 0; i < call.counts.length; i++) {
      const count = at(call.counts, i);
      use(call, from, count, at(at(places, c), i));
      from += count;
    }
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
