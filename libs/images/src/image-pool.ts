import { DroverError, type ImageProcessor, type ImageTiles } from "@drover/core";
import { sniffImageFormat } from "./image-format.ts";
import type { ImageSettings } from "./image-settings.ts";
import { ImageThread } from "./image-thread.ts";
import { IMAGE_LIMITS } from "./limits.ts";

export type ImagePoolOptions = Readonly<{
  /** Images that are decoded and cut at once. Each may hold what `IMAGE_LIMITS` sums up, and uses one of libuv's four threads while it decodes. */
  threads: number;
  queueMax?: number;
  queueBytesMax?: number;
  processMsMax?: number;
  /** What a thread runs, where it is not the decoder: for tests. */
  program?: URL;
}>;

type Job = Readonly<{ file: Uint8Array; done: PromiseWithResolvers<ImageTiles> }>;

const DECODER = new URL("./image-worker.ts", import.meta.url);
/** A picture takes a fraction of a second, so soon there is room again. */
const RETRY_AFTER_MS = 1_000;

/** Decodes and cuts images on threads of its own, so that the caller's event loop only copies a file's bytes. Threads start at need. */
export class ImagePool implements ImageProcessor, AsyncDisposable {
  readonly #settings: ImageSettings;
  readonly #options: Required<ImagePoolOptions>;
  readonly #idle: ImageThread[] = [];
  readonly #threads = new Set<ImageThread>();
  readonly #waiting = new Set<Job>();
  #waitingBytes = 0;
  #isClosed = false;
  #decoder: Promise<unknown> | undefined;

  constructor(settings: ImageSettings, options: ImagePoolOptions) {
    this.#settings = settings;
    this.#options = {
      queueMax: IMAGE_LIMITS.queueMax,
      queueBytesMax: IMAGE_LIMITS.queueBytesMax,
      processMsMax: IMAGE_LIMITS.processMsMax,
      program: DECODER,
      ...options,
    };
  }

  /**
   * Turns a PNG, JPEG, WebP or GIF file into tiles. The bytes must not change meanwhile; they stay the caller's.
   * Errors: `invalid_argument` for what is no such image or beyond the limits, `overloaded` when the queue is full, `deadline_exceeded`,
   * `internal` when the image ends its thread, `unavailable` once the pool is closed; the signal's reason as soon as it aborts.
   */
  async process(file: Uint8Array, signal: AbortSignal): Promise<ImageTiles> {
    signal.throwIfAborted();
    if (file.byteLength > IMAGE_LIMITS.fileBytesMax) {
      const message = `the image has ${file.byteLength} bytes; at most ${IMAGE_LIMITS.fileBytesMax} are taken`;
      throw new DroverError("invalid_argument", message);
    }
    sniffImageFormat(file);
    // On glibc the decoder's libraries must stay loaded by a thread that outlives the pool's.
    this.#decoder ??= import("sharp");
    await this.#decoder;
    signal.throwIfAborted();
    const job = this.#enqueue(file);
    const onAbort = () => {
      this.#dequeue(job);
      job.done.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#dispatch();
      return await job.done.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends all threads; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#waiting) {
      this.#dequeue(job);
      job.done.reject(closed());
    }
    await Promise.all(Array.from(this.#threads, (thread) => thread.end()));
  }

  #enqueue(file: Uint8Array): Job {
    if (this.#isClosed) throw closed();
    const { threads, queueMax, queueBytesMax } = this.#options;
    const isBusy = this.#idle.length === 0 && this.#threads.size >= threads;
    if (isBusy && (this.#waiting.size >= queueMax || this.#waitingBytes + file.byteLength > queueBytesMax)) {
      throw new DroverError("overloaded", "too many images wait to be decoded", { retryAfterMs: RETRY_AFTER_MS });
    }
    const job = { file, done: Promise.withResolvers<ImageTiles>() };
    this.#waiting.add(job);
    this.#waitingBytes += file.byteLength;
    return job;
  }

  #dequeue(job: Job): void {
    if (this.#waiting.delete(job)) this.#waitingBytes -= job.file.byteLength;
  }

  /** Gives what waits to threads that do not work, in order. */
  #dispatch(): void {
    for (const job of this.#waiting) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      this.#dequeue(job);
      void this.#run(thread, job);
    }
  }

  #idleThread(): ImageThread | undefined {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (!thread.isDead) return thread;
      this.#threads.delete(thread);
    }
    if (this.#isClosed || this.#threads.size >= this.#options.threads) return undefined;
    const thread = new ImageThread(this.#options.program, this.#settings);
    this.#threads.add(thread);
    return thread;
  }

  async #run(thread: ImageThread, { file, done }: Job): Promise<void> {
    try {
      done.resolve(await thread.run(file, this.#options.processMsMax));
    } catch (error) {
      done.reject(this.#isClosed ? closed() : error);
    }
    if (thread.isDead) {
      // Its place is free only once it has ended, so that threads which hang cannot pile up.
      await thread.end();
      this.#threads.delete(thread);
    } else {
      this.#idle.push(thread);
    }
    this.#dispatch();
  }
}

function closed(): DroverError {
  return new DroverError("unavailable", "the image pool is closed");
}
