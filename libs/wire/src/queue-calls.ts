import { create } from "@bufbuild/protobuf";
import { type PutCondition, type QueueJob, type RequestId, requestId } from "@drover/core";
import {
  type AddJobsRequest,
  AddJobsRequestSchema,
  type CancelJobsRequest,
  CancelJobsRequestSchema,
  type GetPayloadReply,
  GetPayloadReplySchema,
  PutConditionSchema,
  type PutPayloadRequest,
  PutPayloadRequestSchema,
} from "@drover/proto";
import { numberFromWire } from "./numbers.ts";
import { queueJobFromWire, queueJobToWire } from "./queue-job.ts";

/** A payload on its way into a store, how long it may stay there, and where it is put only if something holds, what. */
export type PutPayload = Readonly<{ key: string; bytes: Uint8Array; ttlMs: number; condition?: PutCondition }>;

export function addJobsToWire(jobs: readonly QueueJob[]): AddJobsRequest {
  return create(AddJobsRequestSchema, { jobs: jobs.map(queueJobToWire) });
}

/** Errors: `invalid_argument`, naming the field. */
export function addJobsFromWire({ jobs }: AddJobsRequest): QueueJob[] {
  return jobs.map(queueJobFromWire);
}

export function cancelJobsToWire(requestIds: readonly RequestId[]): CancelJobsRequest {
  return create(CancelJobsRequestSchema, { requestIds: [...requestIds] });
}

/** Errors: `invalid_argument` for an id that is none. */
export function cancelJobsFromWire({ requestIds }: CancelJobsRequest): RequestId[] {
  return requestIds.map(requestId);
}

export function putPayloadToWire({ ttlMs, condition, ...put }: PutPayload): PutPayloadRequest {
  const message = create(PutPayloadRequestSchema, { ...put, ttlMs: BigInt(ttlMs) });
  if (condition !== undefined) {
    const { key, bytes } = condition;
    message.condition = create(PutConditionSchema, bytes === undefined ? { key } : { key, bytes });
  }
  return message;
}

/** The bytes are the payload's own: those of the message are a view of all of it. */
export function putPayloadFromWire({ key, bytes, ttlMs, condition }: PutPayloadRequest): PutPayload {
  return {
    key,
    bytes: new Uint8Array(bytes),
    ttlMs: numberFromWire(ttlMs, "ttl_ms"),
    ...(condition && { condition: { key: condition.key, bytes: condition.bytes } }),
  };
}

/** Undefined: the store does not have it, or not any more. */
export function getPayloadReplyToWire(bytes: Uint8Array | undefined): GetPayloadReply {
  return create(GetPayloadReplySchema, bytes === undefined ? { found: false } : { found: true, bytes });
}

/** See {@link getPayloadReplyToWire}. */
export function getPayloadReplyFromWire({ found, bytes }: GetPayloadReply): Uint8Array | undefined {
  return found ? bytes : undefined;
}
