import { ExplainReplySchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { explainReplyFromWire, explainReplyToWire } from "./placement-record.ts";
import { placementRecord } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

describe("what is remembered of a request's placement", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(placementRecord, { maxLength: 3 }), (records) => {
        expect(explainReplyFromWire(travelled(ExplainReplySchema, explainReplyToWire(records)))).toEqual(records);
      }),
    );
  });
});
