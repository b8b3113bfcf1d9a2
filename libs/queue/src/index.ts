// Jobs wait in Redis, where any scheduler may take them.

export { BullQueue } from "./bull-queue.ts";
export { openRedis, type QueueRedis } from "./redis.ts";
export { RedisLease } from "./redis-lease.ts";
export { RedisPayloadStore } from "./redis-payload-store.ts";

// Or in the one scheduler that there is.

export { EmbeddedLease } from "./embedded-lease.ts";
export { EmbeddedPayloadStore } from "./embedded-payload-store.ts";
export { EmbeddedQueue } from "./embedded-queue.ts";

// Which routers reach over gRPC.

export { jobQueueService, RemoteQueue } from "./remote-queue.ts";
