import type { Transferable } from "node:worker_threads";
import { DroverError } from "@drover/core";
import { THREAD_LIMITS } from "./limits.ts";
import { PoolThread, type PoolThreadOptions } from "./pool-thread.ts";

export type ThreadPoolOptions = PoolThreadOptions &
  Readonly<{
    /** Requests that are worked on at once. */
    threads: number;
    /** Requests that wait for a thread; one more is refused. */
    queueMax: number;
    /** Bytes of what waits, as `run` was told them; a request beyond them is refused. Default: not bounded. */
    queueBytesMax?: number;
    /** How long a thread may take for one request, the thread's start included, before it is ended and replaced. */
    runMsMax: number;
  }>;

/** A request, and what is said of it. */
export type ThreadTask<Request> = Readonly<{
  /** Called once, when a thread takes the task: what is posted, and those of its buffers that are handed over. */
  post: () => readonly [request: Request, buffers: readonly Transferable[]];
  /** What it holds while it waits. */
  byteLength?: number;
}>;

type Job<Request, Result> = Readonly<{
  post: ThreadTask<Request>["post"];
  byteLength: number;
  done: PromiseWithResolvers<Result>;
}>;

/** Has requests answered on threads of its own, in order; what each holds is bounded. Threads start at need, and one that dies is replaced. */
export class ThreadPool<Request, Result> implements AsyncDisposable {
  readonly #options: ThreadPoolOptions;
  readonly #idle: PoolThread<Request, Result>[] = [];
  readonly #threads = new Set<PoolThread<Request, Result>>();
  readonly #waiting = new Set<Job<Request, Result>>();
  #waitingBytes = 0;
  #isClosed = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /**
   * Has one request answered. Errors: what the program refuses, `overloaded` when the queue is full, `deadline_exceeded`, `internal` when
   * the request ends its thread, `unavailable` once the pool is closed; the signal's reason as soon as it aborts, whatever the thread does.
   */
  async run(task: ThreadTask<Request>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    const job = this.#enqueue(task);
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
      job.done.reject(this.#closed());
    }
    await Promise.all(Array.from(this.#threads, (thread) => thread.end()));
  }

  #enqueue({ post, byteLength = 0 }: ThreadTask<Request>): Job<Request, Result> {
    if (this.#isClosed) throw this.#closed();
    const { threads, queueMax, queueBytesMax = Number.POSITIVE_INFINITY, noun } = this.#options;
    const isBusy = this.#idle.length === 0 && this.#threads.size >= threads;
    if (isBusy && (this.#waiting.size >= queueMax || this.#waitingBytes + byteLength > queueBytesMax)) {
      const { retryAfterMs } = THREAD_LIMITS;
      throw new DroverError("overloaded", `too many ${noun}s wait for a thread`, { retryAfterMs });
    }
    const job = { post, byteLength, done: Promise.withResolvers<Result>() };
    this.#waiting.add(job);
    this.#waitingBytes += byteLength;
    return job;
  }

  #dequeue(job: Job<Request, Result>): void {
    if (this.#waiting.delete(job)) this.#waitingBytes -= job.byteLength;
  }

  /** Gives what waits to threads that do not work, in order. */
  #dispatch(): void {
    for (const job of this.#waiting) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      this.#dequeue(job);
      void this.#runOn(thread, job);
    }
  }

  #idleThread(): PoolThread<Request, Result> | undefined {
    for (let thread = this.#idle.pop(); thread !== undefined; thread = this.#idle.pop()) {
      if (!thread.isDead) return thread;
      this.#threads.delete(thread);
    }
    if (this.#isClosed || this.#threads.size >= this.#options.threads) return undefined;
    const thread = new PoolThread<Request, Result>(this.#options);
    this.#threads.add(thread);
    return thread;
  }

  async #runOn(thread: PoolThread<Request, Result>, { post, done }: Job<Request, Result>): Promise<void> {
    try {
      const [request, buffers] = post();
      done.resolve(await thread.run(request, buffers, this.#options.runMsMax));
    } catch (error) {
      done.reject(this.#isClosed ? this.#closed() : error);
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

  #closed(): DroverError {
    return new DroverError("unavailable", `the ${this.#options.noun} pool is closed`);
  }
}
