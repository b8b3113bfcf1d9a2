import type { Job } from "bullmq";

/**
 * Ends a taken job, and takes its request out of Redis: what stays for a while is its name, by which a repeated add is known. Nothing is
 * changed for who does not hold the job's lock any more: another scheduler may have it, and give it back. Errors: BullMQ's, when the lock was
 * lost.
 */
export async function completeJob(
  taken: Job<Readonly<{ job: string; protocol: string }>>,
  token: string,
): Promise<void> {
  const { protocol } = taken.data;
  await taken.moveToCompleted(null, token, false);
  await taken.updateData({ protocol, job: "" });
}
