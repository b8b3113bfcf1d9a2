import { DroverError, type ImageProcessor, type ImageTiles } from "@drover/core";
import { ThreadPool } from "@drover/threads";
import {
  IMAGE_FILE_BYTES_MAX,
  IMAGE_MS_MAX,
  IMAGE_QUEUE_BYTES_MAX,
  IMAGE_QUEUE_MAX,
  LARGE_IMAGE_MS_MAX,
  LARGE_PICTURE_PIXELS,
  LARGE_PICTURE_QUEUE_MAX,
} from "../limits.ts";
import { pictureHeader } from "./decode-image.ts";
import { sniffImageFormat } from "./image-format.ts";
import type { ImageSettings } from "./image-settings.ts";

export type ImagePoolOptions = Readonly<{
  /**
   * Images that are decoded and cut at once, besides a large one. Each may hold what `limits.ts` sums up, and uses one of libuv's four threads
   * while it decodes.
   */
  threads: number;
  /** What is a large picture; LARGE_PICTURE_PIXELS unless given. */
  largePixels?: number;
  /** Bytes of the files that wait for a thread, small and large ones together; IMAGE_QUEUE_BYTES_MAX unless given. */
  queueBytesMax?: number;
}>;

const DECODER = new URL("./image-worker.ts", import.meta.url);

/** Decodes and cuts images on threads of its own, so that the caller's event loop only copies a file's bytes, and large ones on one thread more. */
export class ImagePool implements ImageProcessor, AsyncDisposable {
  readonly #pool: ThreadPool<Uint8Array, ImageTiles>;
  readonly #large: ThreadPool<Uint8Array, ImageTiles>;
  readonly #largePixels: number;
  #decoder: Promise<unknown> | undefined;

  constructor(settings: ImageSettings, options: ImagePoolOptions) {
    const { threads, largePixels = LARGE_PICTURE_PIXELS, queueBytesMax = IMAGE_QUEUE_BYTES_MAX } = options;
    // Half for each pool: both may be full.
    const common = { program: DECODER, settings, noun: "image", queueBytesMax: queueBytesMax / 2 };
    this.#pool = new ThreadPool({ ...common, threads, queueMax: IMAGE_QUEUE_MAX, runMsMax: IMAGE_MS_MAX });
    this.#large = new ThreadPool({
      ...common,
      threads: 1,
      queueMax: LARGE_PICTURE_QUEUE_MAX,
      runMsMax: LARGE_IMAGE_MS_MAX,
    });
    this.#largePixels = largePixels;
  }

  /**
   * Turns a PNG, JPEG, WebP or GIF file into tiles. The bytes must not change meanwhile; they stay the caller's.
   * Errors: `invalid_argument` for what is no such image or beyond the limits, `overloaded` when the queue is full, `deadline_exceeded`,
   * `internal` when the image ends its thread, `unavailable` once the pool is closed; the signal's reason as soon as it aborts.
   */
  async process(file: Uint8Array, signal: AbortSignal): Promise<ImageTiles> {
    signal.throwIfAborted();
    if (file.byteLength > IMAGE_FILE_BYTES_MAX) {
      const message = `the image has ${file.byteLength} bytes; at most ${IMAGE_FILE_BYTES_MAX} are taken`;
      throw new DroverError("invalid_argument", message);
    }
    const format = sniffImageFormat(file);
    // Here, once, and not in the threads. On glibc the decoder's libraries must stay loaded by a thread that outlives the pool's, too.
    this.#decoder ??= import("./decoder-formats.ts");
    await this.#decoder;
    const { width, height } = await pictureHeader(file, format);
    const pool = width * height > this.#largePixels ? this.#large : this.#pool;
    const post = (): [Uint8Array, ArrayBuffer[]] => {
      const copy = new Uint8Array(file);
      return [copy, [copy.buffer]];
    };
    return pool.run({ post, byteLength: file.byteLength }, signal);
  }

  /** Ends all threads; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool[Symbol.asyncDispose](), this.#large[Symbol.asyncDispose]()]);
  }
}
