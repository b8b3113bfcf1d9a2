export { BullQueue } from "./bull-queue.ts";
export { EmbeddedLease } from "./embedded-lease.ts";
export { EmbeddedPayloadStore } from "./embedded-payload-store.ts";
export { EmbeddedQueue } from "./embedded-queue.ts";
export { openRedis, type QueueRedis } from "./redis.ts";
export { RedisLease } from "./redis-lease.ts";
export { RedisPayloadStore } from "./redis-payload-store.ts";
export { jobQueueService, RemoteQueue } from "./remote-queue.ts";
