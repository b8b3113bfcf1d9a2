import { type ResourceLimits, type Transferable, Worker } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import type { ThreadReply } from "./thread-messages.ts";

export type PoolThreadOptions = Readonly<{
  /** The file that the thread runs; it calls `serveThread`. */
  program: URL;
  /** What the program finds as `workerData`. */
  settings: unknown;
  resourceLimits?: ResourceLimits;
  /** What one request is, in errors: `image`. */
  noun: string;
}>;

/** One thread of the pool. It keeps the process alive only while it works. */
export class PoolThread<Request, Result> {
  readonly #noun: string;
  readonly #worker: Worker;
  #work: PromiseWithResolvers<Result> | undefined;
  #isDead = false;

  constructor({ program, settings, resourceLimits, noun }: PoolThreadOptions) {
    this.#noun = noun;
    const limits = resourceLimits === undefined ? {} : { resourceLimits };
    this.#worker = new Worker(program, { workerData: settings, ...limits });
    this.#worker.unref();
    this.#worker.on("message", (reply: ThreadReply<Result>) => this.#settle(reply));
    this.#worker.on("error", (cause) => this.#fail(cause));
    this.#worker.on("exit", () => this.#fail(undefined));
  }

  /** Whether it works no more, and is only good for `end`. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * Has one request answered; one at a time. Errors: what the program refuses, `internal` when the thread dies of it, `deadline_exceeded`
   * after `msMax`: the thread is dead then too, though it may still work.
   * @param buffers those of the request's that are handed over instead of copied
   */
  async run(request: Request, buffers: readonly Transferable[], msMax: number): Promise<Result> {
    assert(this.#work === undefined && !this.#isDead, "a thread has one request at a time");
    const work = Promise.withResolvers<Result>();
    this.#work = work;
    const deadline = setTimeout(() => {
      this.#isDead = true;
      work.reject(new DroverError("deadline_exceeded", `the ${this.#noun} took longer than ${msMax} ms`));
    }, msMax);
    this.#worker.ref();
    try {
      this.#worker.postMessage(request, buffers);
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

  #settle(reply: ThreadReply<Result>): void {
    if (reply.kind === "result") {
      this.#work?.resolve(reply.result);
      return;
    }
    const { code, message, field } = reply;
    this.#work?.reject(new DroverError(code, message, field === undefined ? {} : { field }));
  }

  #fail(cause: unknown): void {
    this.#isDead = true;
    this.#work?.reject(new DroverError("internal", `the thread that worked on the ${this.#noun} ended`, { cause }));
  }
}
