import { DrainStateSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drainStateFromWire, drainStateToWire } from "./drain-state.ts";
import { drainState } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

describe("how far a drain is", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(drainState, (value) => {
        expect(drainStateFromWire(travelled(DrainStateSchema, drainStateToWire(value)))).toEqual(value);
      }),
    );
  });
});
