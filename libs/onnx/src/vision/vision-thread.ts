import { assert, type Logger } from "@drover/core";
import { ThreadPool } from "@drover/threads";
import { VISION_END_MS_MAX, VISION_QUEUE_BYTES_MAX, VISION_QUEUE_MAX } from "../limits.ts";
import { loadRuntime } from "../session.ts";
import type { VisionFeatures, VisionRequest, VisionSettings } from "./vision-messages.ts";

export type VisionThreadOptions = VisionSettings &
  Readonly<{
    logger: Logger;
    /** Told of each encoded image. */
    onEncoded: (tileCount: number, seconds: number) => void;
    queueMax?: number;
    queueBytesMax?: number;
    /** What the thread runs, where it is not the encoder: for tests. */
    program?: URL;
  }>;

const ENCODER = new URL("./vision-thread-program.ts", import.meta.url);

/** The vision encoder on a thread of its own, so that encoding never stops the caller's event loop. One image is encoded at a time, in order. */
export class VisionThread implements AsyncDisposable {
  readonly #options: VisionThreadOptions;
  readonly #pool: ThreadPool<VisionRequest, VisionFeatures>;

  private constructor(options: VisionThreadOptions) {
    const { directory, config, threads, logger } = options;
    this.#options = options;
    this.#pool = new ThreadPool({
      program: options.program ?? ENCODER,
      settings: { directory, config, threads } satisfies VisionSettings,
      noun: "image",
      lostCode: "unavailable",
      threads: 1,
      queueMax: options.queueMax ?? VISION_QUEUE_MAX,
      queueBytesMax: options.queueBytesMax ?? VISION_QUEUE_BYTES_MAX,
      endMsMax: VISION_END_MS_MAX,
      onLoss: (event, reason) => logger.error(`vision.${event}`, { reason }),
    });
  }

  /** Starts the thread; resolves when the encoder has run once. Errors: the checkpoint's, naming file and tensor. */
  static async start(options: VisionThreadOptions): Promise<VisionThread> {
    // Here too, so that it stays loaded when a thread ends: its own threads would be without their code.
    loadRuntime();
    const thread = new VisionThread(options);
    try {
      await thread.#pool.start();
      return thread;
    } catch (error) {
      await thread[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Images that wait or are being encoded. */
  get load(): number {
    return this.#pool.load;
  }

  /**
   * Features of tiles, [tileCount * rowsPerTile, D]. Takes the pixels over: where they fill their buffer it is detached, otherwise they are copied.
   * Errors: `overloaded` when the queue is full, `unavailable` when the thread dies of this image or the encoder is closed; the signal's reason.
   * An aborted encoding gives way to the next one at once when it waits, and before its next stage when it has begun.
   * @param pixels grey levels, [tileCount, imageSize, imageSize, 3] row-major
   */
  async encode(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Promise<Float32Array> {
    const { config, onEncoded } = this.#options;
    assert(pixels.length === tileCount * config.imageSize ** 2 * 3, "tiles have the model's size");
    const post = (): [VisionRequest, ArrayBuffer[]] => {
      const own = ownBuffer(pixels);
      return [{ tileCount, pixels: own }, [own.buffer]];
    };
    const { rows_aD, seconds } = await this.#pool.run({ post, byteLength: pixels.length }, signal);
    onEncoded(tileCount, seconds);
    return rows_aD;
  }

  /** Has the thread end; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** What may be handed over: the pixels' own buffer, or a copy where they share it. */
function ownBuffer(pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = pixels;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === pixels.byteLength;
  return isAlone ? new Uint8Array(buffer) : new Uint8Array(pixels);
}
