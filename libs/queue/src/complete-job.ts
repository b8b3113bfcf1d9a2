import type { Job } from "bullmq";
import type { BullJobData } from "./bull-lease.ts";

/**
 * Ends a taken job, and takes its request out of Redis: what stays for a while is its name, by which a repeated add is known. Both go on one
 * connection, in this order: a job that could not be ended because its lock is another's has been placed, and nobody needs its request.
 * Errors: BullMQ's, when the lock was lost.
 */
export async function completeJob(taken: Job<BullJobData>, token: string): Promise<void> {
  const { protocol } = taken.data;
  await Promise.all([taken.updateData({ protocol, job: "" }), taken.moveToCompleted(null, token, false)]);
}
