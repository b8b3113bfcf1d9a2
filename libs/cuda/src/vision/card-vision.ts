import type { VisionConfig } from "@drover/checkpoint";
import { assert, DroverError, untilAborted } from "@drover/core";
import { captured } from "../driver/captured.ts";
import type { CudaDevice, Event, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import { passed } from "../driver/passed.ts";
import type { Precision } from "../kernels/activations.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { VisionKernels } from "../kernels/vision-kernels.ts";
import { VISION_LAYERS_A_TURN, VISION_ROWS_MAX } from "../limits.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { LinearUploader } from "../model/device-linear.ts";
import { loadDeviceVision, type VisionSource } from "./device-vision.ts";
import { type TileJob, type TilePart, TileQueue } from "./tile-queue.ts";
import { visionMisfit } from "./vision-misfit.ts";
import { allocateVision, type VisionBuffers, VisionProgram } from "./vision-program.ts";

export type CardVisionOptions = Readonly<{
  precision: Precision;
  /** Where machine code is kept from one start to the next; undefined: nowhere. */
  cacheFolder: string | undefined;
  /** A stream of others' work: what is enqueued there in one turn is all that this work waits for. */
  stream: Stream;
  /** Told of each encoded image. */
  onEncoded: (tileCount: number, seconds: number) => void;
  queueMax?: number;
  queueBytesMax?: number;
}>;

/**
 * Llama 4's vision encoder on a card, with adapter and projector. Tiles of all images that wait are encoded a batch at a time, and a batch in turns of a few layers, so that steps on the
 * same stream wait for one turn at most. This thread does other things meanwhile. After a fault of the card it is unusable.
 */
export class CardVision implements AsyncDisposable {
  readonly config: VisionConfig;
  readonly memory: DeviceMemory;
  readonly #parts: Parts;
  readonly #done: Event;
  readonly #queue: TileQueue;
  readonly #failed = Promise.withResolvers<never>();
  readonly #tilesPerRun: number;
  #load = 0;
  #work: Promise<void> | undefined;
  #isClosed = false;

  private constructor(parts: Parts) {
    const { config, memory, device, options, tilesPerRun } = parts;
    this.config = config;
    this.memory = memory;
    this.#parts = parts;
    this.#tilesPerRun = tilesPerRun;
    this.#done = device.createEvent();
    this.#queue = new TileQueue(options.queueMax, options.queueBytesMax);
    // Whoever asks for it hears of it; it may be that nobody does.
    this.#failed.promise.catch(() => undefined);
  }

  /** Compiles, loads the weights and takes all memory. Bug for an encoder that has a {@link visionMisfit}. Errors: the checkpoint's; `overloaded` where the card is full; the compiler's; the signal's reason. */
  static async load(
    cuda: Cuda,
    config: VisionConfig,
    weights: VisionSource,
    options: CardVisionOptions,
    signal: AbortSignal,
  ): Promise<CardVision> {
    assert(visionMisfit(config) === undefined, "the encoder fits a card's kernels");
    const { device } = cuda;
    const { precision, cacheFolder, stream } = options;
    const memory = new DeviceMemory(device);
    const library = new KernelLibrary(cuda, cacheFolder);
    try {
      const kernels = new VisionKernels(device, library, config, precision, stream);
      const uploader = new LinearUploader(device, memory, kernels.linears, stream);
      const loaded = await loadDeviceVision(config, weights, uploader, signal).finally(() => uploader.close());
      const tilesPerRun = Math.max(1, Math.floor(VISION_ROWS_MAX / kernels.tileRows));
      const buffers = allocateVision(config, tilesPerRun, kernels, { device, memory, stream });
      const program = new VisionProgram(config, kernels, loaded, buffers);
      compileAll(device, stream, program, tilesPerRun);
      const { imageSize, rowsPerTile, textHiddenSize } = config;
      const pixels = device.allocateHost(tilesPerRun * imageSize ** 2 * 3);
      const features = device.allocateHost(4 * tilesPerRun * rowsPerTile * textHiddenSize);
      const host = { pixels, features };
      return new CardVision({ config, device, memory, library, program, buffers, host, options, tilesPerRun });
    } catch (error) {
      library.close();
      memory.close();
      throw error;
    }
  }

  /** Rejects when the card has failed, with its own words; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Images that wait or are being encoded. */
  get load(): number {
    return this.#load;
  }

  /**
   * Features of tiles, [tileCount * rowsPerTile, D]. Takes the pixels over: they are not to change. Errors: `overloaded` when too many wait; `unavailable` when it is closed; the card's; the
   * signal's reason. An aborted encoding gives way to the next one at once when it waits, and before its next layers when it has begun.
   * @param pixels grey levels, [tileCount, imageSize, imageSize, 3] row-major
   */
  async encode(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Promise<Float32Array> {
    const { rowsPerTile, textHiddenSize } = this.config;
    assert(tileCount > 0 && pixels.length === tileCount * this.#tileBytes, "tiles have the model's size");
    signal.throwIfAborted();
    if (this.#isClosed) throw closed();
    const job: TileJob = {
      tileCount,
      pixels,
      features: new Float32Array(tileCount * rowsPerTile * textHiddenSize),
      settle: Promise.withResolvers<Float32Array<ArrayBuffer>>(),
      takenCount: 0,
      began: 0,
      isAbandoned: false,
    };
    this.#queue.add(job);
    this.#load += 1;
    this.#work ??= this.#encodeAll().finally(() => {
      this.#work = undefined;
    });
    // Whoever has left does not hear of it.
    job.settle.promise.catch(() => undefined);
    try {
      return await untilAborted(job.settle.promise, signal);
    } finally {
      this.#load -= 1;
      job.isAbandoned = true;
      this.#queue.remove(job);
    }
  }

  get #tileBytes(): number {
    return this.config.imageSize ** 2 * 3;
  }

  /** Encodes what waits. A fault of the card is everybody's. */
  async #encodeAll(): Promise<void> {
    // What is asked for in the same turn of the loop goes along.
    await Promise.resolve();
    for (;;) {
      const parts = this.#queue.take(this.#tilesPerRun);
      if (parts.length === 0) return;
      try {
        if (await this.#run(parts)) this.#finish(parts);
        // Of those that nobody waits for nobody hears it.
        else for (const { job } of parts) job.settle.reject(closed());
      } catch (error) {
        this.#isClosed = true;
        this.#failed.reject(error);
        for (const { settle } of [...parts.map(({ job }) => job), ...this.#queue.clear()]) settle.reject(error);
      }
    }
  }

  /** Whether the tiles' features are in pinned memory: not, where nobody waits for them any more. */
  async #run(parts: readonly TilePart[]): Promise<boolean> {
    const { device, program, buffers, host, options } = this.#parts;
    const { stream } = options;
    const tileCount = parts.reduce((sum, { count }) => sum + count, 0);
    let at = 0;
    for (const { job, first, count } of parts) {
      if (first === 0) job.began = performance.now();
      host.pixels.bytes.set(job.pixels.subarray(first * this.#tileBytes, (first + count) * this.#tileBytes), at);
      at += count * this.#tileBytes;
    }
    device.copyFromHost(buffers.pixels, host.pixels, 0, at, stream);
    for (let stage = 0; stage < program.stageCount; ) {
      const end = Math.min(program.stageCount, stage + VISION_LAYERS_A_TURN);
      for (; stage < end; stage++) program.stage(stage, tileCount);
      if (stage === program.stageCount)
        device.copyToHost(host.features, 0, buffers.features, this.#featureBytes(tileCount), stream);
      device.record(this.#done, stream);
      await passed(device, this.#done);
      if (this.#isClosed || parts.every(({ job }) => job.isAbandoned)) return false;
    }
    return true;
  }

  #featureBytes(tileCount: number): number {
    return 4 * tileCount * this.config.rowsPerTile * this.config.textHiddenSize;
  }

  #finish(parts: readonly TilePart[]): void {
    const { host, options } = this.#parts;
    const { buffer, byteOffset, byteLength } = host.features.bytes;
    const features = new Float32Array(buffer, byteOffset, byteLength / 4);
    const size = this.config.rowsPerTile * this.config.textHiddenSize;
    let at = 0;
    for (const { job, first, count } of parts) {
      job.features.set(features.subarray(at, at + count * size), first * size);
      at += count * size;
      if (first + count < job.tileCount || job.isAbandoned) continue;
      options.onEncoded(job.tileCount, (performance.now() - job.began) / 1000);
      job.settle.resolve(job.features);
    }
  }

  /** Ends what is under way, whose images are refused as `unavailable`, and gives everything back to the card. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) for (const { settle } of this.#queue.clear()) settle.reject(closed());
    this.#isClosed = true;
    await this.#work;
    const { device, memory, library, host, options } = this.#parts;
    device.synchronize(options.stream);
    device.destroyEvent(this.#done);
    for (const each of Object.values(host)) device.freeHost(each);
    library.close();
    memory.close();
  }
}

type Parts = Readonly<{
  config: VisionConfig;
  device: CudaDevice;
  memory: DeviceMemory;
  library: KernelLibrary;
  program: VisionProgram;
  buffers: VisionBuffers;
  host: Readonly<Record<"pixels" | "features", HostMemory>>;
  options: CardVisionOptions;
  tilesPerRun: number;
}>;

/** Kernels of every number of tiles are compiled before the first image comes: what is recorded is not run. */
function compileAll(device: CudaDevice, stream: Stream, program: VisionProgram, tileCountMax: number): void {
  for (let tileCount = 1; tileCount <= tileCountMax; tileCount++) {
    const all = () => {
      for (let stage = 0; stage < program.stageCount; stage++) program.stage(stage, tileCount);
    };
    device.destroyGraph(captured(device, stream, all));
  }
}

function closed(): DroverError {
  return new DroverError("unavailable", "the vision encoder is closed");
}
