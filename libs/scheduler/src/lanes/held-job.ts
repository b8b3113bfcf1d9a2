import type { JobLease, QueueJob } from "@drover/core";
import type { PlaceableRequest } from "@drover/fleet";

/** A job that was taken and has no worker yet. */
export type HeldJob = Readonly<{ lease: JobLease; heldSinceMs: number }>;

/** Why a job leaves the queue without a worker. */
export const DROP_REASONS = [
  "cancelled",
  "expired",
  "never_fits",
  "payload_missing",
  "refused_forever",
  "router_gone",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export function placeable(job: QueueJob): PlaceableRequest {
  const { modelId, promptTokenCount, newTokenCountMax, choiceCount } = job;
  return { modelId, promptTokenCount, newTokenCountMax, choiceCount: Math.max(1, choiceCount) };
}
