import type { VisionConfig } from "@drover/checkpoint";
import { assert, DroverError, type Logger } from "@drover/core";
import { VISION_LIMITS } from "./vision-limits.ts";
import { RunningEncoder } from "./vision-running-encoder.ts";

export type VisionThreadOptions = Readonly<{
  directory: string;
  config: VisionConfig;
  /** Threads of one computation. */
  threads: number;
  logger: Logger;
  /** Told of each encoded image. */
  onEncoded: (tileCount: number, seconds: number) => void;
  queueMax?: number;
  queueBytesMax?: number;
  /** What the thread runs, where it is not the encoder: for tests. */
  program?: URL;
}>;

type Job = Readonly<{
  tileCount: number;
  pixels: Uint8Array<ArrayBuffer>;
  byteCount: number;
  signal: AbortSignal;
  done: PromiseWithResolvers<Float32Array>;
}>;

const ENCODER = new URL("./vision-thread-program.ts", import.meta.url);
const RETRY_AFTER_MS = 1_000;

/** The vision encoder on a thread of its own, so that encoding never stops the caller's event loop. One image is encoded at a time, in order. */
export class VisionThread implements AsyncDisposable {
  readonly #options: Required<VisionThreadOptions>;
  readonly #waiting = new Set<Job>();
  #waitingBytes = 0;
  #running: RunningEncoder | undefined;
  #isEncoding = false;
  #isClosed = false;

  private constructor(options: VisionThreadOptions) {
    const { queueMax, queueBytesMax } = VISION_LIMITS;
    this.#options = { queueMax, queueBytesMax, program: ENCODER, ...options };
  }

  /** Starts the thread; resolves when the encoder has run once. Errors: the checkpoint's, naming file and tensor. */
  static async start(options: VisionThreadOptions): Promise<VisionThread> {
    const thread = new VisionThread(options);
    await thread.#encoder();
    return thread;
  }

  /** Images that wait or are being encoded. */
  get load(): number {
    return this.#waiting.size + (this.#isEncoding ? 1 : 0);
  }

  /**
   * Features of tiles, [tileCount * rowsPerTile, D]. Takes the pixels over: where they fill their buffer it is detached, otherwise they are copied.
   * Errors: `overloaded` when the queue is full, `unavailable` when the thread dies of this image or the encoder is closed; the signal's reason.
   * An aborted encoding gives way to the next one at once when it waits, and before its next stage when it has begun.
   * @param pixels grey levels, [tileCount, imageSize, imageSize, 3] row-major
   */
  async encode(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Promise<Float32Array> {
    signal.throwIfAborted();
    const job = this.#enqueue(tileCount, pixels, signal);
    const onAbort = () => {
      this.#dequeue(job);
      job.done.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      void this.#pump();
      return await job.done.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends the thread; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#refuseWaiting(closed());
    await this.#running?.end();
  }

  #enqueue(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Job {
    if (this.#isClosed) throw closed();
    const { queueMax, queueBytesMax, config } = this.#options;
    assert(pixels.length === tileCount * config.imageSize ** 2 * 3, "tiles have the model's size");
    if (this.#waiting.size >= queueMax || this.#waitingBytes + pixels.length > queueBytesMax)
      throw new DroverError("overloaded", "too many images wait to be encoded", { retryAfterMs: RETRY_AFTER_MS });
    const done = Promise.withResolvers<Float32Array>();
    const job = { tileCount, pixels: ownBuffer(pixels), byteCount: pixels.length, signal, done };
    this.#waiting.add(job);
    this.#waitingBytes += job.byteCount;
    return job;
  }

  #dequeue(job: Job): boolean {
    if (!this.#waiting.delete(job)) return false;
    this.#waitingBytes -= job.byteCount;
    return true;
  }

  #refuseWaiting(error: unknown): void {
    for (const job of this.#waiting) {
      this.#dequeue(job);
      job.done.reject(error);
    }
  }

  /** Encodes what waits until nothing does; one pump runs at a time. */
  async #pump(): Promise<void> {
    if (this.#isEncoding) return;
    this.#isEncoding = true;
    for (const job of this.#waiting) {
      try {
        const encoder = await this.#encoder();
        if (!this.#dequeue(job)) continue;
        const { rows_aD, seconds } = await encoder.encode(job.tileCount, job.pixels, job.signal);
        this.#options.onEncoded(job.tileCount, seconds);
        job.done.resolve(rows_aD);
      } catch (error) {
        this.#dequeue(job);
        job.done.reject(this.#isClosed ? closed() : error);
      }
    }
    this.#isEncoding = false;
  }

  /** The thread that runs, or a new one, when it is ready. It starts again as soon as it has died; if that fails too, with the next image. */
  async #encoder(): Promise<RunningEncoder> {
    if (this.#isClosed) throw closed();
    const encoder = this.#running ?? this.#start();
    try {
      await encoder.ready;
      return encoder;
    } catch (error) {
      if (this.#running === encoder) this.#running = undefined;
      throw error;
    }
  }

  #start(): RunningEncoder {
    const { program, directory, config, threads, logger } = this.#options;
    const started = new RunningEncoder(program, { directory, config, threads }, (reason) => {
      if (this.#running === started) this.#running = undefined;
      if (this.#isClosed) return;
      logger.error("vision.thread_died", { reason });
      this.#encoder().catch((error: Error) => logger.error("vision.restart_failed", { reason: error.message }));
    });
    this.#running = started;
    return started;
  }
}

/** What may be handed over: the pixels' own buffer, or a copy where they share it. */
function ownBuffer(pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = pixels;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === pixels.byteLength;
  return isAlone ? new Uint8Array(buffer) : new Uint8Array(pixels);
}

function closed(): DroverError {
  return new DroverError("unavailable", "the vision encoder is closed");
}
