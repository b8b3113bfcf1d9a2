import type { QueueJob, QueueProducer } from "@drover/core";
import { neverAborted, withTimeout } from "@drover/core";
import { ADD_BATCH_MAX, QUEUE_CALL_TIMEOUT_MS } from "../limits.ts";

type Waiting = { job: QueueJob; resolve: () => void; reject: (error: unknown) => void };

/** Adds that come within one turn of the event loop go to the queue in one call. Bounded by the requests in flight. */
export class JobBatcher {
  readonly #queue: QueueProducer;
  #waiting: Waiting[] = [];

  constructor(queue: QueueProducer) {
    this.#queue = queue;
  }

  /** Errors: the queue's `unavailable` or `overloaded`. */
  add(job: QueueJob): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ job, resolve, reject });
    });
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < all.length; start += ADD_BATCH_MAX) {
      const batch = all.slice(start, start + ADD_BATCH_MAX);
      this.#queue
        .add(
          batch.map(({ job }) => job),
          withTimeout(QUEUE_CALL_TIMEOUT_MS, neverAborted),
        )
        .then(
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
