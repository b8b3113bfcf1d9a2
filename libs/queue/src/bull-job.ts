import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type JobName, type Logger, type QueueJob, toDroverError } from "@drover/core";
import { JobSchema } from "@drover/proto";
import { type Protocol, protocolText } from "@drover/rpc";
import { queueJobFromWire, queueJobToWire } from "@drover/wire";
import type { BulkJobOptions, Job } from "bullmq";
import { ENDED_JOBS_KEPT, ENDED_JOBS_KEPT_S } from "./limits.ts";

/** What BullMQ stores: the job as bytes, and the protocol of the build that wrote it. */
export type BullJobData = { job: string; protocol: string };

/** What BullMQ keeps of jobs that have ended. */
export const ENDED_JOBS = { count: ENDED_JOBS_KEPT, age: ENDED_JOBS_KEPT_S };

/** The id under which BullMQ keeps a job: a repeated add of it is ignored. */
export function bullJobId({ requestId, attemptBase }: JobName): string {
  return `${requestId}.${attemptBase}`;
}

/** A job as BullMQ is given it; what has the lower priority is taken first. */
export function bullJob(
  job: QueueJob,
  protocol: Protocol,
  priority: number,
): Readonly<{ name: string; data: BullJobData; opts: BulkJobOptions }> {
  const bytes = toBinary(JobSchema, queueJobToWire(job));
  return {
    name: "generate",
    data: { protocol: protocolText(protocol), job: Buffer.from(bytes).toString("base64") },
    opts: {
      jobId: bullJobId(job),
      priority,
      removeOnComplete: ENDED_JOBS,
    },
  };
}

/** Undefined, and told, for a job that no router of this version wrote. */
export function readBullJob(stored: Job<BullJobData>, logger: Logger | undefined): QueueJob | undefined {
  try {
    return queueJobFromWire(fromBinary(JobSchema, Buffer.from(stored.data.job, "base64")));
  } catch (error) {
    logger?.warn("queue.unreadable_job", { job: stored.id, reason: toDroverError(error).message });
    return undefined;
  }
}
