import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { JobSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { queueJobFromWire, queueJobToWire } from "./queue-job.ts";
import { queueJob } from "./testing/queue-jobs.ts";
import { travelled } from "./testing/travelled.ts";

type Fields = Exclude<MessageInitShape<typeof JobSchema>, { $typeName: string }>;
const valid: Fields = {
  requestId: "r",
  modelId: "m",
  routerId: "q",
  lane: "short",
  payload: { case: "inline", value: new Uint8Array() },
};

describe("a queue job", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(queueJob, (value) => {
        expect(queueJobFromWire(travelled(JobSchema, queueJobToWire(value)))).toEqual(value);
      }),
    );
  });

  it.each<[string, Fields]>([
    ["lane", { lane: "slow" }],
    ["payload", { payload: { case: undefined } }],
    ["block_hashes", { blockHashes: new Uint8Array(17) }],
    ["deadline_ms", { deadlineMs: 2n ** 60n }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => queueJobFromWire(create(JobSchema, { ...valid, ...fields }))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });
});
