import { create } from "@bufbuild/protobuf";
import { WorkerOrderSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { workerOrder } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";
import { workerOrderFromWire, workerOrderToWire } from "./worker-order.ts";

describe("a scheduler's order", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(workerOrder, (value) => {
        expect(workerOrderFromWire(travelled(WorkerOrderSchema, workerOrderToWire(value)))).toEqual(value);
      }),
    );
  });

  it("that only later builds know is passed over", () => {
    expect(workerOrderFromWire(create(WorkerOrderSchema))).toBeUndefined();
  });
});
