import { create } from "@bufbuild/protobuf";
import { type JobPayload, LANES, modelId, type QueueJob, requestId, routerId } from "@drover/core";
import { JobSchema, type Job as Message, PayloadReferenceSchema } from "@drover/proto";
import { blockHashesFromWire } from "./block-hashes.ts";
import { numberFromWire } from "./numbers.ts";
import { tenantFromWire, tenantToWire } from "./tenant.ts";
import { nameFromWire } from "./text.ts";
import { NO_TRACE, traceFromWire } from "./trace-context.ts";
import { wireFault } from "./wire-fault.ts";

/** A job as it travels to the queue, and as Redis keeps it. */
export function queueJobToWire({ trace = NO_TRACE, payload, tenant, ...job }: QueueJob): Message {
  const { requestId, modelId, routerId, lane, front, attemptBase, choiceCount, blockHashes } = job;
  return {
    $typeName: JobSchema.typeName,
    requestId,
    modelId,
    routerId,
    lane,
    front,
    attemptBase,
    choiceCount,
    blockHashes,
    traceparent: trace.traceparent,
    tracestate: trace.tracestate,
    ...tenantToWire({ ...(tenant && { tenant }) }),
    deadlineMs: BigInt(job.deadlineMs),
    enqueuedAtMs: BigInt(job.enqueuedAtMs),
    promptTokenCount: BigInt(job.promptTokenCount),
    newTokenCountMax: BigInt(job.newTokenCountMax),
    payload: payloadToWire(payload),
  };
}

/** Errors: `invalid_argument`, naming the field, for a job that no router of this version writes. */
export function queueJobFromWire(message: Message): QueueJob {
  const { front, attemptBase, choiceCount } = message;
  return {
    requestId: requestId(message.requestId),
    modelId: modelId(message.modelId),
    routerId: routerId(message.routerId),
    lane: nameFromWire(LANES, message.lane, "lane"),
    front,
    attemptBase,
    deadlineMs: numberFromWire(message.deadlineMs, "deadline_ms"),
    enqueuedAtMs: numberFromWire(message.enqueuedAtMs, "enqueued_at_ms"),
    promptTokenCount: numberFromWire(message.promptTokenCount, "prompt_token_count"),
    newTokenCountMax: numberFromWire(message.newTokenCountMax, "new_token_count_max"),
    choiceCount,
    blockHashes: blockHashesFromWire(message.blockHashes, "block_hashes"),
    ...tenantFromWire(message.tenant),
    ...traceFromWire(message),
    payload: payloadFromWire(message.payload),
  };
}

function payloadToWire(payload: JobPayload): Message["payload"] {
  if (payload.kind === "inline") return { case: "inline", value: payload.bytes };
  const { key, byteCount } = payload;
  return { case: "reference", value: create(PayloadReferenceSchema, { key, byteCount: BigInt(byteCount) }) };
}

function payloadFromWire(payload: Message["payload"]): JobPayload {
  if (payload.case === "inline") return { kind: "inline", bytes: payload.value };
  if (payload.case === undefined) throw wireFault("payload", "is missing");
  const { key, byteCount } = payload.value;
  return { kind: "reference", key, byteCount: numberFromWire(byteCount, "payload.byte_count") };
}
