import type { JobPayload, QueueJob } from "@drover/core";
import fc from "fast-check";
import type { PlaceRefusal, PlaceRequest } from "../place.ts";
import { aModelId, aRequestId, aRouterId, errorCode, hashes, lane, tenantShare, trace, u32, u53 } from "./values.ts";

export const bytes = fc.uint8Array({ maxLength: 64 });

const payload: fc.Arbitrary<JobPayload> = fc.oneof(
  fc.record({ kind: fc.constant("inline" as const), bytes }),
  fc.record({ kind: fc.constant("reference" as const), key: fc.string(), byteCount: u53 }),
);

const job = {
  requestId: aRequestId,
  modelId: aModelId,
  routerId: aRouterId,
  lane,
  front: fc.boolean(),
  attemptBase: u32,
  deadlineMs: u53,
  enqueuedAtMs: u53,
  promptTokenCount: u53,
  newTokenCountMax: u53,
  choiceCount: u32,
  blockHashes: hashes,
  payload,
};

export const queueJob: fc.Arbitrary<QueueJob> = fc.oneof(
  fc.record(job),
  fc.record({ ...job, trace, tenant: tenantShare }),
);

export const placeRequest: fc.Arbitrary<PlaceRequest> = fc.record({
  leaderEpoch: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  attempt: u32,
  payload: bytes,
});

export const placeRefusal: fc.Arbitrary<PlaceRefusal | undefined> = fc.option(
  fc.record({ code: errorCode, message: fc.string() }),
  { nil: undefined },
);
