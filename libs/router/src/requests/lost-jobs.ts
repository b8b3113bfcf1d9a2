import {
  type Clock,
  DroverError,
  type JobName,
  neverAborted,
  type QueueProducer,
  toDroverError,
  withTimeout,
} from "@drover/core";
import { LOST_ASKED_MAX, LOST_CHECK_MS, LOST_GRACE_MS, QUEUE_CALL_LIMIT } from "../limits.ts";
import type { Generation } from "./generation.ts";
import { laneOf } from "./request-job.ts";

export type LostJobsOptions = Readonly<{
  queue: Pick<QueueProducer, "missing">;
  clock: Clock;
  /** Every request of the router, the oldest first. */
  running: () => readonly Generation[];
  /** The queue does not have the request's newest attempt, and no worker has told of it. */
  onLost: (generation: Generation) => void;
}>;

type Missing = Readonly<{ attemptBase: number; sinceMs: number }>;

/**
 * Finds out which jobs a queue has lost: with Redis's data, with the last writes before a failover, or by a scheduler that could not place
 * them. The queue is asked at intervals, in calls of a bounded size, one at a time. A job that it does not have may be with a worker whose word is under
 * way, so it counts as lost only when nobody has begun it for a while after that.
 */
export class LostJobs {
  readonly #options: LostJobsOptions;
  /** The attempt that the queue was first without, and since when, of each request that it was without when it was last asked. */
  #missing: ReadonlyMap<Generation, Missing> = new Map();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking = false;

  constructor(options: LostJobsOptions) {
    this.#options = options;
  }

  /** Asks where that is due; returns at once. What the queue cannot say now is asked again at the next interval. */
  sweep(): void {
    const { queue, clock, running } = this.#options;
    const nowMs = clock.monotonic();
    if (queue.missing === undefined || this.#asking || nowMs - this.#askedAtMs < LOST_CHECK_MS) return;
    this.#askedAtMs = nowMs;
    const waiting = running().filter((one) => isWaiting(one) && nowMs - one.addedAtMs >= LOST_GRACE_MS);
    if (waiting.length === 0) {
      this.#missing = new Map();
      return;
    }
    this.#asking = true;
    void this.#askAll(waiting).finally(() => {
      this.#asking = false;
    });
  }

  async #askAll(waiting: readonly Generation[]): Promise<void> {
    const missing = new Map<Generation, Missing>();
    for (let start = 0; start < waiting.length; start += LOST_ASKED_MAX) {
      const isKnown = await this.#ask(waiting.slice(start, start + LOST_ASKED_MAX), missing);
      if (!isKnown) return;
    }
    this.#missing = missing;
  }

  /** Adds what the queue is without to `missing`. False where that cannot be found out now. */
  async #ask(waiting: readonly Generation[], missing: Map<Generation, Missing>): Promise<boolean> {
    const { queue, clock, onLost } = this.#options;
    const asked = new Map(waiting.map((generation) => [nameOf(generation), generation]));
    const ask = async (signal: AbortSignal) => (await queue.missing?.([...asked.keys()], signal)) ?? [];
    // A queue that is away has lost nothing by that, and its other calls tell of it.
    const answer = await withTimeout(QUEUE_CALL_LIMIT, clock, neverAborted, ask).catch(toDroverError);
    if (answer instanceof DroverError) return false;
    const nowMs = clock.monotonic();
    const gone = new Set(answer.map(({ requestId }) => requestId));
    for (const [{ requestId, attemptBase }, generation] of asked) {
      if (!gone.has(requestId) || !isWaiting(generation) || generation.state.attemptBase !== attemptBase) continue;
      const before = this.#missing.get(generation);
      const sinceMs = before?.attemptBase === attemptBase ? before.sinceMs : nowMs;
      if (nowMs - sinceMs >= LOST_GRACE_MS) onLost(generation);
      else missing.set(generation, { attemptBase, sinceMs });
    }
    return true;
  }
}

/** Its newest attempt should be in the queue, as far as no worker has said otherwise. */
function isWaiting({ begun, adding, ended }: Generation): boolean {
  return !begun && !adding && !ended.aborted;
}

function nameOf({ requestId, request, state }: Generation): JobName {
  return { requestId, attemptBase: state.attemptBase, lane: laneOf(request) };
}
