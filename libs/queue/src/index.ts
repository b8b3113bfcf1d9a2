export { EmbeddedPayloadStore } from "./embedded-payload-store.ts";
export { EmbeddedQueue } from "./embedded-queue.ts";
export { EmbeddedLease, type HeldLease, type LeaderLease } from "./leader-lease.ts";
export { QUEUE_LIMITS } from "./limits.ts";
export { jobQueueService, RemoteQueue } from "./remote-queue.ts";
