import { Worker } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import { VISION_LIMITS } from "./vision-limits.ts";
import {
  CONTROL,
  type VisionThreadData,
  type VisionThreadReply,
  type VisionThreadRequest,
} from "./vision-thread-messages.ts";

/** What one image became. */
export type Encoded = Readonly<{ rows_aD: Float32Array; seconds: number }>;

/** One life of the vision thread, from loaded weights to its end. */
export class RunningEncoder {
  /** Resolves when the encoder is loaded. Errors: the checkpoint's; `unavailable` when the thread ends before. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL.wordCount * Int32Array.BYTES_PER_ELEMENT));
  readonly #started = Promise.withResolvers<void>();
  readonly #exited: Promise<void>;
  readonly #onDeath: (reason: string) => void;
  #work: PromiseWithResolvers<Encoded> | undefined;
  #state: "starting" | "ready" | "dead" = "starting";
  #serial = 0;

  /** Starts the thread; `onDeath` is called once if it dies after it was ready. */
  constructor(program: URL, data: Omit<VisionThreadData, "control">, onDeath: (reason: string) => void) {
    this.#onDeath = onDeath;
    this.ready = this.#started.promise;
    this.ready.catch(() => undefined);
    this.#worker = new Worker(program, { workerData: { ...data, control: this.#control } satisfies VisionThreadData });
    this.#worker.on("message", (reply: VisionThreadReply) => this.#receive(reply));
    this.#worker.on("error", (error: Error) => this.#fail(error.message));
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        this.#fail(`it ended with code ${code}`);
        resolve();
      });
    });
  }

  /**
   * One image at a time; its pixels are handed over. An aborted encoding stops before its next stage.
   * Errors: `unavailable` when the thread ends before it has answered; the signal's reason.
   */
  async encode(tileCount: number, pixels: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Encoded> {
    if (this.#state === "dead") throw new DroverError("unavailable", "the vision thread has ended");
    assert(this.#work === undefined, "a vision thread has one image at a time");
    const work = Promise.withResolvers<Encoded>();
    this.#work = work;
    this.#serial += 1;
    const { kind, serial } = { kind: "encode", serial: this.#serial } as const;
    const abandon = () => Atomics.store(this.#control, CONTROL.abandoned, serial);
    signal.addEventListener("abort", abandon, { once: true });
    try {
      this.#worker.postMessage({ kind, serial, tileCount, pixels } satisfies VisionThreadRequest, [pixels.buffer]);
      return await work.promise;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", abandon);
      this.#work = undefined;
    }
  }

  /** Has the thread end before its next stage. Resolves when it has ended. */
  async end(): Promise<void> {
    Atomics.store(this.#control, CONTROL.end, 1);
    this.#worker.postMessage({ kind: "wake" } satisfies VisionThreadRequest);
    const stop = setTimeout(() => void this.#worker.terminate(), VISION_LIMITS.endMsMax);
    await this.#exited;
    clearTimeout(stop);
  }

  #receive(reply: VisionThreadReply): void {
    if (reply.kind === "features") this.#work?.resolve(reply);
    else if (reply.kind === "abandoned")
      this.#work?.reject(new DroverError("unavailable", "the encoding was given up"));
    else if (reply.kind === "ready") {
      this.#state = "ready";
      this.#started.resolve();
    } else {
      const { code, message, field } = reply;
      this.#state = "dead";
      this.#started.reject(new DroverError(code, message, field === undefined ? {} : { field }));
    }
  }

  #fail(reason: string): void {
    if (this.#state === "dead") return;
    const wasReady = this.#state === "ready";
    this.#state = "dead";
    const fault = new DroverError("unavailable", `the vision thread has ended: ${reason}`);
    this.#work?.reject(fault);
    if (wasReady) this.#onDeath(reason);
    else this.#started.reject(fault);
  }
}
