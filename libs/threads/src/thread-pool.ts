import { DroverError } from "@drover/core";
import { RETRY_AFTER_MS } from "./limits.ts";
import { PoolThread, type PoolThreadOptions, type ThreadRequest } from "./pool-thread.ts";

export type ThreadPoolOptions = PoolThreadOptions &
  Readonly<{
    /** Requests that are worked on at once. */
    threads: number;
    /** Requests that wait for a thread; one more is refused. */
    queueMax: number;
    /** Bytes of what waits, as `run` was told them; a request beyond them is refused. Default: not bounded. */
    queueBytesMax?: number;
    /** How long a loaded thread may take for one request before it is ended and replaced. Default: as long as it takes. */
    runMsMax?: number;
    /** Told when a thread has died of itself, and when the one in its place cannot be loaded either. */
    onLoss?: (event: "thread_died" | "restart_failed", reason: string) => void;
  }>;

/** A request, and what it holds while it waits. */
export type ThreadTask<Request> = Readonly<{ post: ThreadRequest<Request>; byteLength?: number }>;

type Job<Request, Result> = Readonly<{
  post: ThreadRequest<Request>;
  byteLength: number;
  signal: AbortSignal;
  done: PromiseWithResolvers<Result>;
}>;

/**
 * Has requests answered on threads of its own, in order; what each holds is bounded. Threads start at need, or all with `start`; one that dies is
 * replaced.
 */
export class ThreadPool<Request, Result> implements AsyncDisposable {
  readonly #options: ThreadPoolOptions;
  readonly #idle = new Set<PoolThread<Request, Result>>();
  readonly #threads = new Set<PoolThread<Request, Result>>();
  readonly #waiting = new Set<Job<Request, Result>>();
  #waitingBytes = 0;
  #runningCount = 0;
  #isKept = false;
  #isClosed = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /**
   * Starts all threads; resolves when they are loaded. From now on one that dies is replaced at once, and not with the next request.
   * Errors: what loading refuses, `internal` (or the lost code) when a thread ends before. The pool is of no use then.
   */
  async start(): Promise<void> {
    this.#isKept = true;
    while (this.#threads.size < this.#options.threads) this.#idle.add(this.#open());
    await Promise.all(Array.from(this.#threads, (thread) => thread.ready));
  }

  /** Requests that wait or are being answered. */
  get load(): number {
    return this.#waiting.size + this.#runningCount;
  }

  /**
   * Has one request answered. Errors: what the program refuses, `overloaded` when the queue is full, `deadline_exceeded`, `internal` (or the lost
   * code) when its thread ends, `unavailable` once the pool is closed; the signal's reason as soon as it aborts, whatever the thread does.
   */
  async run(task: ThreadTask<Request>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    const job = this.#enqueue(task, signal);
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

  #enqueue({ post, byteLength = 0 }: ThreadTask<Request>, signal: AbortSignal): Job<Request, Result> {
    if (this.#isClosed) throw this.#closed();
    const { threads, queueMax, queueBytesMax = Number.POSITIVE_INFINITY, noun } = this.#options;
    const isBusy = this.#idle.size === 0 && this.#threads.size >= threads;
    if (isBusy && (this.#waiting.size >= queueMax || this.#waitingBytes + byteLength > queueBytesMax)) {
      throw new DroverError("overloaded", `too many ${noun}s wait for a thread`, { retryAfterMs: RETRY_AFTER_MS });
    }
    const job = { post, byteLength, signal, done: Promise.withResolvers<Result>() };
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
      const thread = this.#freeThread();
      if (thread === undefined) return;
      this.#dequeue(job);
      void this.#runOn(thread, job);
    }
  }

  #freeThread(): PoolThread<Request, Result> | undefined {
    for (const thread of this.#idle) {
      this.#idle.delete(thread);
      if (!thread.isDead) return thread;
      this.#threads.delete(thread);
    }
    const hasPlace = !this.#isClosed && this.#threads.size < this.#options.threads;
    return hasPlace ? this.#open() : undefined;
  }

  #open(): PoolThread<Request, Result> {
    const thread = new PoolThread<Request, Result>(this.#options, (reason) => {
      if (this.#isClosed) return;
      this.#options.onLoss?.("thread_died", reason);
      if (this.#idle.delete(thread)) void this.#retire(thread);
    });
    this.#threads.add(thread);
    return thread;
  }

  async #runOn(thread: PoolThread<Request, Result>, { post, signal, done }: Job<Request, Result>): Promise<void> {
    this.#runningCount++;
    try {
      done.resolve(await thread.run(post, signal, this.#options.runMsMax ?? Number.POSITIVE_INFINITY));
    } catch (error) {
      done.reject(this.#isClosed ? this.#closed() : error);
    }
    this.#runningCount--;
    if (thread.isDead) return this.#retire(thread);
    this.#idle.add(thread);
    this.#dispatch();
  }

  /** A dead thread's place is free only once it has ended, so that threads which hang cannot pile up. */
  async #retire(thread: PoolThread<Request, Result>): Promise<void> {
    await thread.end();
    this.#threads.delete(thread);
    this.#dispatch();
    const isReplaced = this.#isKept && thread.wasReady && !this.#isClosed && this.#threads.size < this.#options.threads;
    if (!isReplaced) return;
    const next = this.#open();
    this.#idle.add(next);
    next.ready.catch((error: Error) => {
      if (this.#isClosed) return;
      this.#options.onLoss?.("restart_failed", error.message);
      if (this.#idle.delete(next)) void this.#retire(next);
    });
  }

  #closed(): DroverError {
    return new DroverError("unavailable", `the ${this.#options.noun} pool is closed`);
  }
}
