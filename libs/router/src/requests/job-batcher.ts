import { type Clock, neverAborted, type QueueJob, type QueueProducer, withTimeout } from "@drover/core";
import { ADD_BATCH_MAX, QUEUE_CALL_LIMIT } from "../limits.ts";

type WaitingJob = { job: QueueJob; signal: AbortSignal; resolve: () => void; reject: (error: unknown) => void };

/** Adds that come within one turn of the event loop go to the queue in one call. Bounded by the requests in flight. */
export class JobBatcher {
  readonly #queue: QueueProducer;
  readonly #clock: Clock;
  #waiting: WaitingJob[] = [];

  constructor(queue: QueueProducer, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /**
   * Errors: the queue's `unavailable` or `overloaded`; `deadline_exceeded` where it does not answer. A job whose signal has aborted meanwhile
   * is not added, and fails with the signal's reason.
   */
  add(job: QueueJob, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ job, signal, resolve, reject });
    });
  }

  #flush(): void {
    const all = this.#waiting.filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    this.#waiting = [];
    for (let start = 0; start < all.length; start += ADD_BATCH_MAX) {
      const batch = all.slice(start, start + ADD_BATCH_MAX);
      const jobs = batch.map(({ job }) => job);
      withTimeout(QUEUE_CALL_LIMIT, this.#clock, neverAborted, (signal) => this.#queue.add(jobs, signal)).then(
        () => {
          for (const { resolve } of batch) resolve();
        },
        (error: unknown) => {
          for (const { reject } of batch) reject(error);
        },
      );
    }
  }
}
