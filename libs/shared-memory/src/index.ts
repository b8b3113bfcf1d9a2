// Two processes of one host have memory together, and each wakes the other when it has written something there.

export { SharedMemory } from "./shared-memory.ts";
export type { SegmentOffer, SharedSegment } from "./shared-segment.ts";
export { WordQueue } from "./word-queue.ts";
