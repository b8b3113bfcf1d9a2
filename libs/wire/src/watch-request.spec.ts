import { WatchRequestSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { watchRequest } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";
import { watchRequestFromWire, watchRequestToWire } from "./watch-request.ts";

describe("a router's wish to watch", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(watchRequest, (value) => {
        expect(watchRequestFromWire(travelled(WatchRequestSchema, watchRequestToWire(value)))).toEqual(value);
      }),
    );
  });
});
