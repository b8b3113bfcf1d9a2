import { DrainReplySchema, DrainRequestSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drainReplyFromWire, drainReplyToWire, drainRequestFromWire, drainRequestToWire } from "./drain.ts";
import { drainReply, drainRequest } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

describe("a wish that a worker drains", () => {
  it("is read as it was written, and so is its answer", () => {
    fc.assert(
      fc.property(drainRequest, drainReply, (request, reply) => {
        expect(drainRequestFromWire(travelled(DrainRequestSchema, drainRequestToWire(request)))).toEqual(request);
        expect(drainReplyFromWire(travelled(DrainReplySchema, drainReplyToWire(reply)))).toEqual(reply);
      }),
    );
  });
});
