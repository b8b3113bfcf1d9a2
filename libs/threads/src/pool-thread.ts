import { type ResourceLimits, type Transferable, Worker } from "node:worker_threads";
import { assert, crashOnFailedAssertion, DroverError } from "@drover/core";
import { CONTROL, type ThreadData, type ThreadMessage, type ThreadReply } from "./thread-messages.ts";

export type PoolThreadOptions = Readonly<{
  /** The file that the thread runs; it calls `serveThread`. */
  program: URL;
  /** What the program is loaded with. */
  settings: unknown;
  resourceLimits?: ResourceLimits;
  /** What one request is, in errors: `image`. */
  noun: string;
  /** The code of a request whose thread ends before it has answered: `internal` where the request is to blame. Default: `internal`. */
  lostCode?: "internal" | "unavailable";
  /**
   * How long the thread may take to end by itself, for programs that must not be stopped within their work. Default: it is stopped at once.
   */
  endMsMax?: number;
}>;

/** A request for a thread: what is posted, made when the thread is there for it, and those of its buffers that are handed over. */
export type ThreadRequest<Request> = () => readonly [request: Request, buffers: readonly Transferable[]];

/** One thread of the pool, from its start to its end. It keeps the process alive only while it loads or works. */
export class PoolThread<Request, Result> {
  /** Resolves when the program is loaded. Errors: what loading refuses; the lost code when the thread ends before. */
  readonly ready: Promise<void>;
  readonly #options: PoolThreadOptions;
  readonly #worker: Worker;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL.wordCount * Int32Array.BYTES_PER_ELEMENT));
  readonly #started = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #onDeath: (reason: string) => void;
  #state: "starting" | "ready" | "dead" = "starting";
  #wasReady = false;
  #work: PromiseWithResolvers<Result> | undefined;
  #serial = 0;

  /** Starts the thread; `onDeath` is called once if it dies after it was ready, of itself. */
  constructor(options: PoolThreadOptions, onDeath: (reason: string) => void) {
    this.#options = options;
    this.#onDeath = onDeath;
    this.ready = this.#started.promise;
    // Whoever waits for it hears of it; where nobody does, it is no unhandled rejection.
    this.ready.catch(() => undefined);
    const { program, settings, resourceLimits } = options;
    const workerData: ThreadData<unknown> = { settings, control: this.#control };
    this.#worker = new Worker(program, { workerData, ...(resourceLimits && { resourceLimits }) });
    this.#worker.on("message", (reply: ThreadReply<Result>) => this.#receive(reply));
    this.#worker.on("error", (error: Error) => {
      crashOnFailedAssertion(error);
      this.#fail(error.message, error);
    });
    this.#worker.on("exit", (code) => {
      this.#fail(`it ended with code ${code}`, code);
      this.#exited.resolve();
    });
  }

  /** Whether it works no more, and is only good for `end`. */
  get isDead(): boolean {
    return this.#state === "dead";
  }

  /** Whether its program was ever loaded, so that another thread is likely to load it too. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /**
   * Has one request answered, once the program is loaded; one at a time. When the signal aborts, the program is told that nobody waits; what it
   * then answers is waited for all the same. Errors: what the program refuses, or its loading; the lost code when the thread ends before it has
   * answered; `deadline_exceeded` `msMax` after it was posted: the thread is dead then too, though it may still work.
   */
  async run(request: ThreadRequest<Request>, signal: AbortSignal, msMax: number): Promise<Result> {
    assert(this.#work === undefined && !this.isDead, "a thread has one request at a time");
    const work = Promise.withResolvers<Result>();
    this.#work = work;
    const serial = ++this.#serial;
    const abandon = () => Atomics.store(this.#control, CONTROL.abandoned, serial);
    signal.addEventListener("abort", abandon, { once: true });
    let deadline: NodeJS.Timeout | undefined;
    this.#worker.ref();
    const post = () => {
      signal.throwIfAborted();
      if (this.isDead) return;
      if (Number.isFinite(msMax)) deadline = setTimeout(() => this.#expire(msMax), msMax);
      const [message, buffers] = request();
      this.#worker.postMessage({ kind: "request", serial, request: message } satisfies ThreadMessage<Request>, buffers);
    };
    try {
      this.ready.then(post).catch(work.reject);
      return await work.promise;
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", abandon);
      this.#work = undefined;
      this.#worker.unref();
    }
  }

  /** Ends the thread, whatever it does. Resolves when it has ended. */
  async end(): Promise<void> {
    this.#state = "dead";
    this.#worker.ref();
    const { endMsMax = 0 } = this.#options;
    if (endMsMax === 0) {
      await this.#worker.terminate();
      return;
    }
    Atomics.store(this.#control, CONTROL.end, 1);
    this.#worker.postMessage({ kind: "end" } satisfies ThreadMessage<Request>);
    const stop = setTimeout(() => void this.#worker.terminate(), endMsMax);
    await this.#exited.promise;
    clearTimeout(stop);
  }

  #receive(reply: ThreadReply<Result>): void {
    if (reply.kind === "result") {
      this.#work?.resolve(reply.result);
    } else if (reply.kind === "refused") {
      const { code, message, field } = reply;
      this.#refuse(new DroverError(code, message, field === undefined ? {} : { field }));
    } else if (this.#state === "starting") {
      this.#state = "ready";
      this.#wasReady = true;
      this.#started.resolve();
      if (this.#work === undefined) this.#worker.unref();
    }
  }

  /** A refusal answers the request, or says that the program cannot be loaded. */
  #refuse(refusal: DroverError): void {
    if (this.#state !== "starting") {
      this.#work?.reject(refusal);
      return;
    }
    this.#state = "dead";
    this.#started.reject(refusal);
  }

  #expire(msMax: number): void {
    this.#state = "dead";
    this.#work?.reject(new DroverError("deadline_exceeded", `the ${this.#options.noun} took longer than ${msMax} ms`));
  }

  #fail(reason: string, cause: unknown): void {
    const { noun, lostCode = "internal" } = this.#options;
    const state = this.#state;
    this.#state = "dead";
    const lost = new DroverError(lostCode, `the thread that worked on the ${noun} ended`, { cause });
    this.#work?.reject(lost);
    this.#started.reject(lost);
    if (state === "ready") this.#onDeath(reason);
  }
}
