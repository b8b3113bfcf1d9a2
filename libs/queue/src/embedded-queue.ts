import {
  assert,
  BoundedMap,
  type Clock,
  DroverError,
  type JobLease,
  LANES,
  type Lane,
  type LaneDepth,
  type QueueConsumer,
  type QueueJob,
  type QueueProducer,
  type RequestId,
  type RouterId,
} from "@drover/core";
import { FairOrder, isBefore, type Rank } from "./fair-order.ts";
import { KNOWN_JOBS_MAX, LANE_JOBS_MAX, RETRY_AFTER_MS, TOMBSTONE_MS, TOMBSTONES_MAX } from "./limits.ts";

type WaitingJob = { readonly job: QueueJob; readonly rank: Rank; attempt: number };

/** The queue in the scheduler's own memory: what waits is lost with the process, and routers add it again. */
export class EmbeddedQueue implements QueueProducer, QueueConsumer {
  readonly #clock: Clock;
  readonly #lanes = new Map<Lane, WaitingJob[]>(LANES.map((lane) => [lane, []]));
  readonly #orders = new Map<Lane, FairOrder>(LANES.map((lane) => [lane, new FairOrder()]));
  readonly #tombstones = new BoundedMap<RequestId, number>({ entriesMax: TOMBSTONES_MAX });
  /** Adds that are known. */
  readonly #known = new BoundedMap<string, true>({ entriesMax: KNOWN_JOBS_MAX });
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (const lane of LANES) {
      const more = jobs.filter((job) => job.lane === lane).length;
      if (more > 0 && this.#lane(lane).length + more > LANE_JOBS_MAX) {
        throw new DroverError("overloaded", `the ${lane} lane is full`, { retryAfterMs: RETRY_AFTER_MS });
      }
    }
    const front: WaitingJob[] = [];
    for (const job of jobs) {
      const key = `${job.requestId} ${job.attemptBase}`;
      if (this.#known.has(key)) continue;
      this.#known.set(key, true);
      const waiting = { job, rank: job.front ? FRONT_RANK : this.#order(job.lane).rank(job), attempt: job.attemptBase };
      if (job.front) front.push(waiting);
      else insert(this.#lane(job.lane), waiting);
    }
    for (const waiting of front.reverse()) this.#lane(waiting.job.lane).unshift(waiting);
    this.#notify();
  }

  async cancel(requestIds: readonly RequestId[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#clock.monotonic();
    for (const [id, until] of this.#tombstones) {
      if (until > now) break;
      this.#tombstones.delete(id);
    }
    const cancelled = new Set(requestIds);
    for (const id of cancelled) this.#tombstones.set(id, now + TOMBSTONE_MS);
    this.#filter(({ job }) => !cancelled.has(job.requestId));
  }

  async take(lane: Lane, signal: AbortSignal, only?: "front"): Promise<JobLease | undefined> {
    signal.throwIfAborted();
    const waiting = this.#lane(lane);
    const isTaken = ({ job }: WaitingJob) => only === undefined || job.front;
    for (let next = waiting[0]; next !== undefined && isTaken(next); next = waiting[0]) {
      waiting.shift();
      this.#order(lane).taken(next.rank);
      if (waiting.length === 0) this.#order(lane).reset();
      if (next.job.deadlineMs > this.#clock.now() && !this.#isDead(next.job.requestId)) return this.#lease(next);
    }
    return undefined;
  }

  #lease(taken: WaitingJob): JobLease {
    let held = true;
    return {
      job: taken.job,
      attempt: taken.attempt,
      // A lock in this process's memory cannot be lost without the process.
      lost: NEVER,
      complete: async () => {
        held = false;
      },
      release: async (_signal, delivery = "unused") => {
        if (!held) return;
        held = false;
        if (delivery === "spent") taken.attempt += 1;
        giveBack(this.#lane(taken.job.lane), taken);
        this.#notify();
      },
    };
  }

  async isCancelled(requestId: RequestId, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    return this.#isDead(requestId);
  }

  async depth(signal: AbortSignal): Promise<readonly LaneDepth[]> {
    signal.throwIfAborted();
    return LANES.map((lane) => {
      const waiting = this.#lane(lane);
      const oldest = waiting.reduce((least, { job }) => Math.min(least, job.enqueuedAtMs), Number.POSITIVE_INFINITY);
      return { lane, waitingCount: waiting.length, oldestEnqueuedAtMs: waiting.length === 0 ? undefined : oldest };
    });
  }

  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async dropRouter(routerId: RouterId, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    return this.#filter(({ job }) => job.routerId !== routerId);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #filter(keep: (waiting: WaitingJob) => boolean): number {
    let dropped = 0;
    for (const [lane, waiting] of this.#lanes) {
      const kept = waiting.filter(keep);
      dropped += waiting.length - kept.length;
      this.#lanes.set(lane, kept);
      if (kept.length < waiting.length) this.#order(lane).keepOnly(kept.map(({ job }) => job));
    }
    return dropped;
  }

  #isDead(id: RequestId): boolean {
    return (this.#tombstones.get(id) ?? 0) > this.#clock.monotonic();
  }

  #lane(lane: Lane): WaitingJob[] {
    return this.#lanes.get(lane) ?? [];
  }

  #order(lane: Lane): FairOrder {
    const order = this.#orders.get(lane);
    assert(order !== undefined, "every lane has its order");
    return order;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

const NEVER = new AbortController().signal;

/** Of what is added again. */
const FRONT_RANK: Rank = { priorityClass: -2, tag: 0 };

/** First again, but for those that were added to the front meanwhile. */
function giveBack(lane: WaitingJob[], waiting: WaitingJob): void {
  const first = waiting.job.front ? 0 : lane.findIndex(({ job }) => !job.front);
  lane.splice(first < 0 ? lane.length : first, 0, waiting);
}

/** Behind all that goes before it or came earlier. */
function insert(lane: WaitingJob[], waiting: WaitingJob): void {
  const behind = lane.findLastIndex((other) => !isBefore(waiting.rank, other.rank));
  lane.splice(behind + 1, 0, waiting);
}
