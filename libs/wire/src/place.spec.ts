import { PlaceReplySchema, PlaceRequestSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placeReplyFromWire, placeReplyToWire, placeRequestFromWire, placeRequestToWire } from "./place.ts";
import { placeRefusal, placeRequest } from "./testing/queue-jobs.ts";
import { travelled } from "./testing/travelled.ts";

describe("a placement", () => {
  it("is read as it was written, and so is its answer", () => {
    fc.assert(
      fc.property(placeRequest, placeRefusal, (request, refusal) => {
        expect(placeRequestFromWire(travelled(PlaceRequestSchema, placeRequestToWire(request)))).toEqual(request);
        expect(placeReplyFromWire(travelled(PlaceReplySchema, placeReplyToWire(refusal)))).toEqual(refusal);
      }),
    );
  });
});
