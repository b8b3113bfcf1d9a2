import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ExpertMapSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expertMapFromWire, expertMapToWire } from "./expert-map.ts";
import { expertMap } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

type Fields = Exclude<MessageInitShape<typeof ExpertMapSchema>, { $typeName: string }>;
const valid: Fields = { modelId: "m", holders: [{ workerId: "w" }] };

describe("an expert map", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(expertMap, (value) => {
        expect(expertMapFromWire(travelled(ExpertMapSchema, expertMapToWire(value)))).toEqual(value);
      }),
    );
  });

  it.each<[string, Fields]>([
    ["layers.experts.holders", { layers: [{ layer: 1, experts: [{ holders: [1] }] }] }],
    ["layers", { layers: [{ layer: 1 }, { layer: 1 }] }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => expertMapFromWire(create(ExpertMapSchema, { ...valid, ...fields }))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });
});
