import { type Clock, DroverError, type Logger, type RequestId, sleepUnlessAborted, toDroverError } from "@drover/core";
import {
  HAND_BACKS_MAX,
  QUEUE_AWAY_MS_MAX,
  QUEUE_RETRY_MS,
  READD_BACKOFF_MS,
  READDS_MAX,
  RETRY_AFTER_MS,
  UNBEGUN_GRACE_MS,
} from "../limits.ts";
import type { ReaddCause, RouterMetrics } from "../metrics/router-metrics.ts";
import type { Generation } from "./generation.ts";
import type { WorkerKey } from "./request-state.ts";

export type RecoveryOptions = Readonly<{
  clock: Clock;
  logger: Logger;
  metrics: Pick<RouterMetrics, "readded">;
  /** Puts a request's newest attempt into the queue, first in its lane. */
  add: (generation: Generation) => Promise<void>;
  /** Ends a request whose every choice has ended: only its worker's last word is missing. */
  complete: (generation: Generation) => void;
  fail: (generation: Generation, error: DroverError) => void;
  cancelAt: (worker: WorkerKey, requestId: RequestId, attempt: number) => void;
}>;

/** Adds requests to the queue again, with what was delivered, when the attempt that ran or waited is lost; a bounded number of times. */
export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Ends the attempt that ran, where one did, and begins another. */
  addAgain(generation: Generation, cause: ReaddCause): void {
    const { state, requestId } = generation;
    const { complete, cancelAt } = this.#options;
    if (generation.ended.aborted) return;
    if (state.finished) {
      complete(generation);
      return;
    }
    const old = state.supersede();
    if (old !== undefined) cancelAt(old.worker, requestId, old.attempt);
    // A re-add that is under way reads the state after its wait, so it already carries the newer attempt.
    if (!generation.adding) this.begin(generation, cause);
  }

  /** Begins to add the newest attempt, which nobody has; returns at once. */
  begin(generation: Generation, cause: ReaddCause): void {
    this.#run(generation, cause).catch((error: unknown) => this.#options.fail(generation, toDroverError(error)));
  }

  /**
   * A worker was lost that may have accepted this request and died before it said so. The queue has let go of it then; but it may as well
   * still wait, so it is given some time first (`addUnbegun`).
   */
  suspect(generation: Generation): void {
    generation.suspectedAtMs ??= this.#options.clock.now();
  }

  /** Adds a suspect again that nobody has begun within the grace; where it only waited, its older attempt is refused by its number. */
  addUnbegun(generation: Generation, nowMs: number): void {
    const { suspectedAtMs, state } = generation;
    if (suspectedAtMs === undefined) return;
    if (state.owner !== undefined) generation.suspectedAtMs = undefined;
    else if (!generation.adding && nowMs - suspectedAtMs >= UNBEGUN_GRACE_MS) {
      generation.suspectedAtMs = undefined;
      this.addAgain(generation, "worker_lost");
    }
  }

  /**
   * How long a request waits before its next add. What a worker hands back, because it ends, is no sign of trouble: it goes on at once. A queue
   * that is away is no fault of the request either, and is waited for. Errors: `unavailable` when it happened too often, or took too long.
   */
  #backoffMs(generation: Generation, cause: ReaddCause, awaySinceMs: number | undefined): number {
    if (cause === "queue_unavailable" && awaySinceMs !== undefined) {
      if (this.#options.clock.monotonic() - awaySinceMs < QUEUE_AWAY_MS_MAX) return QUEUE_RETRY_MS;
      throw new DroverError("unavailable", "the queue cannot be reached", { retryAfterMs: RETRY_AFTER_MS });
    }
    const handedBack = cause === "handed_back";
    if (handedBack ? generation.handBackCount >= HAND_BACKS_MAX : generation.readdCount >= READDS_MAX)
      throw new DroverError("unavailable", "the request was lost too often", { retryAfterMs: RETRY_AFTER_MS });
    if (!handedBack) return READD_BACKOFF_MS * 2 ** generation.readdCount++;
    generation.handBackCount++;
    return 0;
  }

  async #run(generation: Generation, first: ReaddCause): Promise<void> {
    const { clock, metrics, logger, add } = this.#options;
    let cause = first;
    let said: ReaddCause | undefined;
    let awaySinceMs: number | undefined;
    generation.adding = true;
    try {
      while (!generation.ended.aborted) {
        const backoffMs = this.#backoffMs(generation, cause, awaySinceMs);
        metrics.readded(cause);
        if (cause !== said) {
          generation.trace?.addedAgain(cause);
          logger.warn("request.readd", {
            request: generation.requestId,
            x_request_id: generation.name,
            cause,
            attempt: generation.state.attemptBase,
          });
        }
        said = cause;
        await sleepUnlessAborted(clock, backoffMs, generation.ended);
        if (generation.ended.aborted) return;
        const attempt = generation.state.attemptBase;
        try {
          await add(generation);
          if (generation.state.attemptBase === attempt) return;
          cause = "worker_failed";
        } catch (error) {
          if (toDroverError(error).code === "invalid_argument") throw error;
          // The queue took it without our hearing so.
          if (generation.begun) return;
          cause = "queue_unavailable";
          awaySinceMs ??= clock.monotonic();
          generation.state.supersede();
        }
      }
    } finally {
      generation.adding = false;
    }
  }
}
