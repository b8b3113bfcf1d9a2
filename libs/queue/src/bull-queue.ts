import { randomUUID } from "node:crypto";
import {
  at,
  type Clock,
  DroverError,
  type JobLease,
  type JobName,
  LANES,
  type Lane,
  type LaneDepth,
  type Logger,
  type ModelId,
  neverAborted,
  type QueueConsumer,
  type QueueJob,
  type QueueProducer,
  type RequestId,
  type RouterId,
} from "@drover/core";
import { agree, PROTOCOL, type Protocol, parseProtocol, protocolText } from "@drover/rpc";
import { type Job, Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { type BullJobData, bullJob, bullJobId, ENDED_JOBS, readBullJob } from "./bull-job.ts";
import { HeldBullJob } from "./bull-lease.ts";
import { completeJob } from "./complete-job.ts";
import {
  FOREIGN_AGE_MS,
  FOREIGN_PAUSE_MS,
  FOREIGN_PROTOCOLS_MAX,
  LANE_JOBS_MAX,
  LOCK_MS,
  POLL_MS,
  REDIS_TOMBSTONE_MS,
  RETRY_AFTER_MS,
  STALLED_COUNT_MAX,
  STALLED_MS,
} from "./limits.ts";
import { overRedis, unreachable } from "./redis.ts";
import { hasFront, RedisFairOrder } from "./redis-fair-order.ts";

export type BullQueueOptions = Readonly<{
  redis: Redis;
  /** Opens another connection like `redis`, for the blocking half. Left out by producers. */
  consumer?: Redis;
  cluster: string;
  modelId: ModelId;
  clock: Clock;
  /** Hears of jobs of other builds. */
  logger?: Logger;
  /** What this build speaks; PROTOCOL unless given. */
  protocol?: Protocol;
}>;

type LaneQueue = Readonly<{
  queue: Queue<BullJobData>;
  worker: Worker<BullJobData> | undefined;
  fair: RedisFairOrder;
}>;

/** The queue in Redis, by BullMQ: one BullMQ queue for each lane. Jobs are fetched by hand, so that only what can be placed is taken. */
export class BullQueue implements QueueProducer, QueueConsumer {
  readonly #options: BullQueueOptions;
  readonly #prefix: string;
  readonly #lanes: ReadonlyMap<Lane, LaneQueue>;
  readonly #listeners = new Set<() => void>();
  readonly #subscriber: Redis | undefined;
  readonly #protocol: Protocol;
  /** Protocols of other builds that were told of. */
  readonly #foreign = new Set<string>();
  readonly #poll: NodeJS.Timeout | undefined;

  constructor(options: BullQueueOptions) {
    this.#options = options;
    this.#protocol = options.protocol ?? PROTOCOL;
    this.#prefix = `drover:${options.cluster}`;
    this.#lanes = new Map(LANES.map((lane) => [lane, this.#openLane(lane)]));
    this.#subscriber = options.consumer?.duplicate();
    this.#subscriber?.on("error", () => undefined);
    this.#subscriber?.on("message", () => this.#notify());
    this.#subscriber?.subscribe(this.#key("added")).catch(() => undefined);
    // It asks nothing, and so would not hear that its server was demoted.
    if (this.#subscriber !== undefined) options.redis.on("close", this.#renewSubscriber);
    // A stalled job comes back without an announcement.
    this.#poll = options.consumer === undefined ? undefined : setInterval(() => this.#notify(), POLL_MS);
    this.#poll?.unref();
  }

  readonly #renewSubscriber = () => {
    if (this.#subscriber?.status === "ready") this.#subscriber.disconnect(true);
  };

  #openLane(lane: Lane): LaneQueue {
    const name = `${this.#options.modelId}.${lane}`;
    const queue = new Queue<BullJobData>(name, {
      connection: this.#options.redis,
      prefix: this.#prefix,
      skipVersionCheck: true,
    });
    queue.on("error", () => undefined);
    const fair = new RedisFairOrder(this.#options.redis, this.#key(`fair:${lane}`), queue.toKey("prioritized"));
    if (this.#options.consumer === undefined) return { queue, worker: undefined, fair };
    const worker = new Worker<BullJobData>(name, null, {
      connection: this.#options.consumer,
      prefix: this.#prefix,
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_MS,
      maxStalledCount: STALLED_COUNT_MAX,
      removeOnComplete: ENDED_JOBS,
      skipVersionCheck: true,
    });
    worker.on("error", () => undefined);
    worker.startStalledCheckTimer().catch(() => undefined);
    return { queue, worker, fair };
  }

  async add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // BullMQ itself would wait for a Redis that was never there.
    if (this.#options.redis.status !== "ready") throw unreachable(undefined);
    await overRedis(signal, async () => {
      for (const lane of LANES) {
        const mine = jobs.filter((job) => job.lane === lane);
        if (mine.length === 0) continue;
        const { queue, fair } = this.#lane(lane);
        if ((await queue.getPrioritizedCount()) + mine.length > LANE_JOBS_MAX) {
          throw new DroverError("overloaded", `the ${lane} lane is full`, { retryAfterMs: RETRY_AFTER_MS });
        }
        const priorities = await fair.priorities(mine);
        await queue.addBulk(mine.map((job, i) => bullJob(job, this.#protocol, at(priorities, i))));
      }
    });
    // The jobs are there: schedulers look by themselves too, and a word that is lost costs a moment.
    this.#options.redis.publish(this.#key("added"), "1").catch(() => undefined);
  }

  async cancel(requestIds: readonly RequestId[], signal: AbortSignal, livesMs = 0): Promise<void> {
    signal.throwIfAborted();
    const keptMs = Math.ceil(Math.max(REDIS_TOMBSTONE_MS, livesMs));
    await overRedis(signal, async () => {
      const pipeline = this.#options.redis.pipeline();
      for (const id of requestIds) pipeline.set(this.#tombstone(id), "1", "PX", keptMs);
      // A pipeline resolves whatever its commands came to.
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    });
  }

  async missing(jobs: readonly JobName[], signal: AbortSignal): Promise<readonly JobName[]> {
    signal.throwIfAborted();
    return overRedis(signal, async () => {
      const pipeline = this.#options.redis.pipeline();
      for (const job of jobs)
        pipeline.hmget(this.#lane(job.lane).queue.toKey(bullJobId(job)), "timestamp", "finishedOn");
      const answers = (await pipeline.exec()) ?? [];
      return jobs.filter((_, i) => {
        const [error, fields] = at(answers, i);
        if (error !== null) throw error;
        const [addedAt, endedAt] = fields as readonly (string | null)[];
        return addedAt == null || endedAt != null;
      });
    });
  }

  async take(lane: Lane, signal: AbortSignal, only?: "front"): Promise<JobLease | undefined> {
    const { worker, fair, queue } = this.#lane(lane);
    if (worker === undefined) throw new DroverError("internal", "a producer takes no jobs");
    return overRedis(signal, async () => {
      for (;;) {
        signal.throwIfAborted();
        if (only === "front" && !(await hasFront(queue))) return undefined;
        const token = randomUUID();
        const taken = await worker.getNextJob(token, { block: false });
        if (taken === undefined) return undefined;
        if (!agree(this.#protocol, parseProtocol(taken.data.protocol))) {
          await this.#putAside(taken, token);
          continue;
        }
        fair.taken(taken.opts.priority);
        const job = this.#read(taken);
        if (job === undefined) {
          // Nobody of this version can ever place it.
          await completeJob(taken, token);
          continue;
        }
        const lease = new HeldBullJob(taken, token, job, LOCK_MS);
        try {
          const isWanted =
            job.deadlineMs > this.#options.clock.now() && !(await this.isCancelled(job.requestId, signal));
          signal.throwIfAborted();
          if (isWanted) return lease;
        } catch (cause) {
          // The taker is gone, perhaps while Redis was away: kept, the lock would be extended for ever and nobody would place the job.
          await lease.release(neverAborted);
          throw cause;
        }
        await lease.complete(signal);
      }
    });
  }

  /** What this build would misread waits for a scheduler that knows it. */
  async #putAside(taken: Job<BullJobData>, token: string): Promise<void> {
    const protocol = String(taken.data.protocol);
    if (!this.#foreign.has(protocol) && this.#foreign.size < FOREIGN_PROTOCOLS_MAX) {
      this.#foreign.add(protocol);
      const own = protocolText(this.#protocol);
      this.#options.logger?.warn("queue.foreign_job", {
        protocol,
        own,
        reason: "written by a version that cannot serve together with this one",
      });
    }
    const now = this.#options.clock.now();
    if (now - taken.timestamp >= FOREIGN_AGE_MS) await completeJob(taken, token);
    else await taken.moveToDelayed(now + FOREIGN_PAUSE_MS, token);
  }

  isCancelled(requestId: RequestId, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    return overRedis(signal, async () => (await this.#options.redis.exists(this.#tombstone(requestId))) > 0);
  }

  depth(signal: AbortSignal): Promise<readonly LaneDepth[]> {
    signal.throwIfAborted();
    return overRedis(signal, () =>
      Promise.all(
        LANES.map(async (lane) => {
          const { queue } = this.#lane(lane);
          const waitingCount = (await queue.getPrioritizedCount()) + (await queue.getWaitingCount());
          const [oldest] = waitingCount === 0 ? [] : await queue.getJobs(["prioritized", "waiting"], 0, 0, true);
          return { lane, waitingCount, oldestEnqueuedAtMs: oldest?.timestamp };
        }),
      ),
    );
  }

  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dropRouter(routerId: RouterId, signal: AbortSignal): Promise<number> {
    return overRedis(signal, async () => {
      let dropped = 0;
      for (const { queue } of this.#lanes.values()) {
        for (const waiting of await queue.getJobs(["prioritized", "waiting"], 0, LANE_JOBS_MAX, true)) {
          signal.throwIfAborted();
          if (this.#read(waiting)?.routerId !== routerId) continue;
          // One that was taken meanwhile is locked, and its holder asks about its router.
          dropped += await waiting.remove().then(
            () => 1,
            () => 0,
          );
        }
      }
      return dropped;
    });
  }

  /** Ends every connection that this queue opened; those that it was given are the caller's. */
  async close(): Promise<void> {
    clearInterval(this.#poll);
    this.#listeners.clear();
    this.#options.redis.off("close", this.#renewSubscriber);
    this.#subscriber?.disconnect();
    for (const { queue, worker } of this.#lanes.values()) {
      await worker?.close(true);
      await queue.close();
    }
  }

  #read(stored: Job<BullJobData>): QueueJob | undefined {
    return readBullJob(stored, this.#options.logger);
  }

  #lane(lane: Lane): LaneQueue {
    const found = this.#lanes.get(lane);
    if (found === undefined) throw new DroverError("internal", `no lane is called ${lane}`);
    return found;
  }

  #key(name: string): string {
    return `${this.#prefix}:${this.#options.modelId}:${name}`;
  }

  #tombstone(id: RequestId): string {
    return this.#key(`cancelled:${id}`);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
