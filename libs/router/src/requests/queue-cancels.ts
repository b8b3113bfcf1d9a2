import {
  type Clock,
  type Logger,
  neverAborted,
  type QueueProducer,
  type RequestId,
  toDroverError,
  withTimeout,
} from "@drover/core";
import { CANCEL_BATCH_MAX, QUEUE_CALL_LIMIT } from "../limits.ts";

export type QueueCancelsOptions = Readonly<{ queue: Pick<QueueProducer, "cancel">; clock: Clock; logger: Logger }>;

/**
 * Cancels of requests that may still wait in the queue. One that the queue did not take is tried again until its job cannot live any more:
 * a lost one would be computed for nobody. Bounded by the requests that end within their deadlines while the queue is away; each holds an id.
 */
export class QueueCancels {
  readonly #options: QueueCancelsOptions;
  /** Requests whose cancel has failed, and until when a job of theirs may live, Unix milliseconds. */
  readonly #owed = new Map<RequestId, number>();
  #trying = false;

  constructor(options: QueueCancelsOptions) {
    this.#options = options;
  }

  /** Cancels that the queue did not take yet. */
  get owedCount(): number {
    return this.#owed.size;
  }

  /** Cancels a request whose jobs end at its deadline by themselves; returns at once. */
  cancel(requestId: RequestId, deadlineMs: number): void {
    void this.#ask([[requestId, deadlineMs]]);
  }

  /** Tries again what failed, one call at a time. To be called at intervals; returns at once. */
  retry(nowMs: number): void {
    for (const [id, deadlineMs] of this.#owed) if (deadlineMs <= nowMs) this.#owed.delete(id);
    if (this.#trying || this.#owed.size === 0) return;
    this.#trying = true;
    void this.#ask([...this.#owed].slice(0, CANCEL_BATCH_MAX)).finally(() => {
      this.#trying = false;
    });
  }

  async #ask(requests: readonly (readonly [RequestId, number])[]): Promise<void> {
    const { queue, clock, logger } = this.#options;
    const ids = requests.map(([id]) => id);
    const livesMs = Math.max(...requests.map(([, deadlineMs]) => deadlineMs)) - clock.now();
    try {
      await withTimeout(QUEUE_CALL_LIMIT, clock, neverAborted, (signal) => queue.cancel(ids, signal, livesMs));
    } catch (error) {
      // Once, however many follow.
      if (this.#owed.size === 0)
        logger.warn("request.cancel_failed", { request: ids[0], reason: toDroverError(error).message });
      for (const [id, deadlineMs] of requests) this.#owed.set(id, deadlineMs);
      return;
    }
    const wasOwing = this.#owed.size > 0;
    for (const id of ids) this.#owed.delete(id);
    if (wasOwing && this.#owed.size === 0) logger.info("request.cancels_taken");
  }
}
