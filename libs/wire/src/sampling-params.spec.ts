import { SamplingSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { samplingParamsFromWire, samplingParamsToWire } from "./sampling-params.ts";
import { samplingParams } from "./testing/generation-requests.ts";
import { travelled } from "./testing/travelled.ts";

describe("sampling parameters", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(samplingParams(), (params) => {
        expect(samplingParamsFromWire(travelled(SamplingSchema, samplingParamsToWire(params)))).toEqual(params);
      }),
    );
  });
});
