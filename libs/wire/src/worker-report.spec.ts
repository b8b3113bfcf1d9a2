import { create } from "@bufbuild/protobuf";
import { WorkerReportSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { workerReport } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";
import { workerReportFromWire, workerReportToWire } from "./worker-report.ts";

describe("a worker's report", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(workerReport, (value) => {
        expect(workerReportFromWire(travelled(WorkerReportSchema, workerReportToWire(value)))).toEqual(value);
      }),
    );
  });

  it("that says nothing, or what only later builds know, is refused", () => {
    expect(() => workerReportFromWire(create(WorkerReportSchema))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field: "report" }),
    );
  });
});
