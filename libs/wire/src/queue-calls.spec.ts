import {
  AddJobsRequestSchema,
  CancelJobsRequestSchema,
  GetPayloadReplySchema,
  PutPayloadRequestSchema,
} from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addJobsFromWire,
  addJobsToWire,
  cancelJobsFromWire,
  cancelJobsToWire,
  getPayloadReplyFromWire,
  getPayloadReplyToWire,
  putPayloadFromWire,
  putPayloadToWire,
} from "./queue-calls.ts";
import { bytes, queueJob } from "./testing/queue-jobs.ts";
import { travelled } from "./testing/travelled.ts";
import { aRequestId, u53 } from "./testing/values.ts";

describe("what routers ask of a queue", () => {
  it("is read as it was written", () => {
    const jobs = fc.array(queueJob, { maxLength: 3 });
    const ids = fc.array(aRequestId, { maxLength: 3 });
    const condition = fc.record({ key: fc.string(), bytes: fc.option(bytes, { nil: undefined }) });
    const put = fc.record(
      { key: fc.string(), bytes, ttlMs: u53, condition },
      { requiredKeys: ["key", "bytes", "ttlMs"] },
    );
    const got = fc.option(bytes, { nil: undefined });
    fc.assert(
      fc.property(jobs, ids, put, got, (jobs, ids, put, got) => {
        expect(addJobsFromWire(travelled(AddJobsRequestSchema, addJobsToWire(jobs)))).toEqual(jobs);
        expect(cancelJobsFromWire(travelled(CancelJobsRequestSchema, cancelJobsToWire(ids)))).toEqual(ids);
        expect(putPayloadFromWire(travelled(PutPayloadRequestSchema, putPayloadToWire(put)))).toEqual(put);
        expect(getPayloadReplyFromWire(travelled(GetPayloadReplySchema, getPayloadReplyToWire(got)))).toEqual(got);
      }),
    );
  });
});
