import { create } from "@bufbuild/protobuf";
import { WorkerStatusSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { workerStatus } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";
import { workerStatusFromWire, workerStatusToWire } from "./worker-status.ts";

describe("a worker's status", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(workerStatus, (value) => {
        expect(workerStatusFromWire(travelled(WorkerStatusSchema, workerStatusToWire(value)))).toEqual(value);
      }),
    );
  });

  it("with a prediction that is no time predicts nothing there", () => {
    const costs = { promptRowMs: Number.NaN, decodeMs: -1, stepMsMax: 250 };
    const status = workerStatusFromWire(create(WorkerStatusSchema, { costs, pendingPromptMs: [-5, Number.NaN] }));
    expect(status.costs).toMatchObject({ promptRowMs: 0, decodeMs: 0, stepMsMax: 250 });
    expect(status.pendingPromptMs).toEqual([0, 0]);
  });
});
