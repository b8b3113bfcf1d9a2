import type { Clock, LeaderLease, Logger, ModelId, PayloadStore, QueueConsumer } from "@drover/core";
import {
  BullQueue,
  EmbeddedLease,
  EmbeddedPayloadStore,
  EmbeddedQueue,
  jobQueueService,
  openRedis,
  RedisLease,
  RedisPayloadStore,
} from "@drover/queue";
import type { Server } from "@grpc/grpc-js";

/** The queue that the scheduler takes from, where large payloads are, and who leads. */
export type QueueAdapters = AsyncDisposable &
  Readonly<{
    kind: "embedded" | "redis";
    queue: QueueConsumer;
    payloads: PayloadStore;
    lease: LeaderLease;
    /** Registers what routers reach in this process; nothing with Redis. */
    addTo(server: Server): void;
  }>;

export type QueueAdapterOptions = Readonly<{
  /** `scheduler`, or Redis's URL. */
  url: string;
  cluster: string;
  modelId: ModelId;
  /** What other schedulers name when they stand by. */
  address: string;
  clock: Clock;
  logger: Logger;
}>;

/** An embedded scheduler's epoch is its starting time in these, so that map epochs, which are multiples of it, stay below 2^53. */
const EMBEDDED_EPOCH_MS = 100;

/** Errors: `invalid_argument` for a URL that is neither. A Redis that is away is waited for. */
export function openQueue(options: QueueAdapterOptions): QueueAdapters {
  return options.url === "scheduler" ? openEmbedded(options) : openInRedis(options);
}

function openEmbedded({ address, clock }: QueueAdapterOptions): QueueAdapters {
  const queue = new EmbeddedQueue(clock);
  const payloads = new EmbeddedPayloadStore(clock);
  return {
    kind: "embedded",
    queue,
    payloads,
    lease: new EmbeddedLease(address, Math.floor(clock.now() / EMBEDDED_EPOCH_MS)),
    addTo: (server) => server.addService(...jobQueueService(queue, payloads)),
    [Symbol.asyncDispose]: () => queue.close(),
  };
}

function openInRedis({ url, cluster, modelId, address, clock, logger }: QueueAdapterOptions): QueueAdapters {
  // One connection answers at once or not at all, and says when Redis is away; the other one, which takes jobs, waits for it to come back.
  const redis = openRedis(url, { producer: true, logger });
  const consumer = openRedis(url, { producer: false, beside: redis });
  const queue = new BullQueue({ redis, consumer, cluster, modelId, clock, logger });
  return {
    kind: "redis",
    queue,
    payloads: new RedisPayloadStore(redis, cluster),
    lease: new RedisLease(redis, { cluster, modelId, address, clock }),
    addTo: () => undefined,
    [Symbol.asyncDispose]: async () => {
      await queue.close();
      consumer.disconnect();
      redis.disconnect();
    },
  };
}
