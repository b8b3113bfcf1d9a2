import { Worker } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import { PROMPT_LIMITS } from "./limits.ts";
import type { ThreadReply, ThreadRequest, ThreadSettings } from "./thread-messages.ts";

/** One thread of the pool. It keeps the process alive only while it works. */
export class PromptThread {
  readonly #worker: Worker;
  #work: PromiseWithResolvers<Uint32Array> | undefined;
  #isDead = false;

  /** @param program the file that the thread runs */
  constructor(program: URL, settings: ThreadSettings) {
    const resourceLimits = { maxOldGenerationSizeMb: PROMPT_LIMITS.threadHeapMb };
    this.#worker = new Worker(program, { workerData: settings, resourceLimits });
    this.#worker.unref();
    this.#worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on("error", (cause) => this.#fail(cause));
    this.#worker.on("exit", () => this.#fail(undefined));
  }

  /** Whether it works no more, and is only good for `end`. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * Encodes one prompt; one at a time. Errors: what the encoder refuses, `internal` when the thread dies of it, `deadline_exceeded` after
   * `msMax`: the thread is dead then too.
   */
  async run(request: ThreadRequest, msMax: number): Promise<Uint32Array> {
    assert(this.#work === undefined && !this.#isDead, "a thread has one prompt at a time");
    const work = Promise.withResolvers<Uint32Array>();
    this.#work = work;
    const deadline = setTimeout(() => {
      this.#isDead = true;
      work.reject(new DroverError("deadline_exceeded", `the prompt took longer than ${msMax} ms to encode`));
    }, msMax);
    this.#worker.ref();
    try {
      this.#worker.postMessage(request);
      return await work.promise;
    } finally {
      clearTimeout(deadline);
      this.#work = undefined;
      this.#worker.unref();
    }
  }

  /** Ends the thread, whatever it does. Resolves when it has ended. */
  async end(): Promise<void> {
    this.#isDead = true;
    await this.#worker.terminate();
  }

  #settle(reply: ThreadReply): void {
    if (reply.kind === "ids") this.#work?.resolve(reply.ids);
    else {
      const options = reply.field === undefined ? {} : { field: reply.field };
      this.#work?.reject(new DroverError(reply.code, reply.message, options));
    }
  }

  #fail(cause: unknown): void {
    this.#isDead = true;
    this.#work?.reject(new DroverError("internal", "the thread that encoded the prompt ended", { cause }));
  }
}
