import { Worker } from "node:worker_threads";
import { assert, DroverError, type ImageTiles } from "@drover/core";
import type { ImageSettings } from "./image-settings.ts";
import type { ThreadReply, ThreadRequest } from "./thread-messages.ts";

/** One thread of the pool. It keeps the process alive only while it works. */
export class ImageThread {
  readonly #worker: Worker;
  #work: PromiseWithResolvers<ImageTiles> | undefined;
  #isDead = false;

  /** @param program the file that the thread runs */
  constructor(program: URL, settings: ImageSettings) {
    this.#worker = new Worker(program, { workerData: settings });
    this.#worker.unref();
    this.#worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on("error", (cause) => this.#fail(cause));
    this.#worker.on("exit", () => this.#fail(undefined));
  }

  /** Whether it ended by itself; it then works no more. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * Cuts one image; one at a time. Copies the file, so the caller's stays its own.
   * Errors: `invalid_argument` for an image that is refused, `internal` when the thread dies of it, `deadline_exceeded` after `msMax`: then
   * the thread still works, and is only good for `end`.
   */
  async run(file: Uint8Array, msMax: number): Promise<ImageTiles> {
    assert(this.#work === undefined && !this.#isDead, "a thread has one image at a time");
    const work = Promise.withResolvers<ImageTiles>();
    this.#work = work;
    const deadline = setTimeout(() => {
      this.#isDead = true;
      work.reject(new DroverError("deadline_exceeded", `the image took longer than ${msMax} ms`));
    }, msMax);
    this.#worker.ref();
    try {
      const copy = new Uint8Array(file);
      this.#worker.postMessage({ file: copy } satisfies ThreadRequest, [copy.buffer]);
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
    if (reply.kind === "tiles") this.#work?.resolve(reply.tiles);
    else this.#work?.reject(new DroverError(reply.code, reply.message));
  }

  #fail(cause: unknown): void {
    this.#isDead = true;
    this.#work?.reject(new DroverError("internal", "the thread that cut the image ended", { cause }));
  }
}
