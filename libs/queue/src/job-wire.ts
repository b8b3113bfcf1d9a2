import { create } from "@bufbuild/protobuf";
import { DroverError, LANES, modelId, type QueueJob, requestId, routerId } from "@drover/core";
import { type Job, JobSchema } from "@drover/proto";

/** A job as it travels and as it is stored. */
export function jobToWire(job: QueueJob): Job {
  const { payload } = job;
  return create(JobSchema, {
    requestId: job.requestId,
    modelId: job.modelId,
    routerId: job.routerId,
    lane: job.lane,
    front: job.front,
    attemptBase: job.attemptBase,
    deadlineMs: BigInt(job.deadlineMs),
    enqueuedAtMs: BigInt(job.enqueuedAtMs),
    promptTokenCount: BigInt(job.promptTokenCount),
    newTokenCountMax: BigInt(job.newTokenCountMax),
    choiceCount: job.choiceCount,
    blockHashes: job.blockHashes,
    ...job.trace,
    payload:
      payload.kind === "inline"
        ? { case: "inline", value: payload.bytes }
        : {
            case: "reference",
            value: {
              $typeName: "drover.internal.v1.PayloadReference",
              key: payload.key,
              byteCount: BigInt(payload.byteCount),
            },
          },
  });
}

/** Errors: `invalid_argument` for a job that no router of this version wrote. */
export function jobFromWire(job: Job): QueueJob {
  const lane = LANES.find((name) => name === job.lane);
  if (lane === undefined) throw new DroverError("invalid_argument", `no lane is called ${job.lane}`);
  const { traceparent, tracestate } = job;
  if (job.payload.case === undefined) throw new DroverError("invalid_argument", "a job has a payload");
  return {
    requestId: requestId(job.requestId),
    modelId: modelId(job.modelId),
    routerId: routerId(job.routerId),
    lane,
    front: job.front,
    attemptBase: job.attemptBase,
    deadlineMs: Number(job.deadlineMs),
    enqueuedAtMs: Number(job.enqueuedAtMs),
    promptTokenCount: Number(job.promptTokenCount),
    newTokenCountMax: Number(job.newTokenCountMax),
    choiceCount: job.choiceCount,
    blockHashes: job.blockHashes,
    ...(traceparent !== "" && { trace: { traceparent, tracestate } }),
    payload:
      job.payload.case === "inline"
        ? { kind: "inline", bytes: job.payload.value }
        : { kind: "reference", key: job.payload.value.key, byteCount: Number(job.payload.value.byteCount) },
  };
}
