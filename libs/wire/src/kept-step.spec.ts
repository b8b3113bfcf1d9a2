import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stepFromWire, stepToWire } from "./kept-step.ts";
import { requestEvent } from "./testing/token-streams.ts";

describe("what workers have told, kept", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(requestEvent, { maxLength: 5 }), (events) => {
        expect(stepFromWire(stepToWire(events))).toEqual(events);
      }),
    );
  });

  it("is refused where it has an event of a kind that only later builds know", () => {
    // A RequestEvent in field 1 that has nothing but its request's name.
    expect(() => stepFromWire(Uint8Array.of(10, 3, 10, 1, 114))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field: "events" }),
    );
  });
});
