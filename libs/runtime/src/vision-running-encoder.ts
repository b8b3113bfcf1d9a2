import { Worker } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import type { VisionThreadData, VisionThreadReply, VisionThreadRequest } from "./vision-thread-messages.ts";

/** What one image became. */
export type Encoded = Readonly<{ rows_aD: Float32Array; seconds: number }>;

/** One life of the vision thread, from loaded weights to its end. */
export class RunningEncoder {
  readonly #worker: Worker;
  readonly #started = Promise.withResolvers<void>();
  readonly #onDeath: (reason: string) => void;
  #work: PromiseWithResolvers<Encoded> | undefined;
  #state: "starting" | "ready" | "dead" = "starting";

  private constructor(program: URL, data: VisionThreadData, onDeath: (reason: string) => void) {
    this.#onDeath = onDeath;
    this.#worker = new Worker(program, { workerData: data });
    this.#worker.on("message", (reply: VisionThreadReply) => this.#receive(reply));
    this.#worker.on("error", (error: Error) => this.#fail(error.message));
    this.#worker.on("exit", (code) => this.#fail(`it ended with code ${code}`));
  }

  /**
   * Resolves when the encoder is loaded; `onDeath` is called once if it dies after that. Errors: the checkpoint's; `unavailable` when the thread ends.
   */
  static async start(program: URL, data: VisionThreadData, onDeath: (reason: string) => void): Promise<RunningEncoder> {
    const encoder = new RunningEncoder(program, data, onDeath);
    await encoder.#started.promise;
    return encoder;
  }

  /** One image at a time; its pixels are handed over. Errors: `unavailable` when the thread ends before it has answered. */
  async encode({ tileCount, pixels }: VisionThreadRequest): Promise<Encoded> {
    if (this.#state === "dead") throw new DroverError("unavailable", "the vision thread has ended");
    assert(this.#work === undefined, "a vision thread has one image at a time");
    const work = Promise.withResolvers<Encoded>();
    this.#work = work;
    try {
      this.#worker.postMessage({ tileCount, pixels } satisfies VisionThreadRequest, [pixels.buffer]);
      return await work.promise;
    } finally {
      this.#work = undefined;
    }
  }

  /** Ends the thread after the run it is in. Resolves when it has ended. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(reply: VisionThreadReply): void {
    if (reply.kind === "features") this.#work?.resolve(reply);
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
