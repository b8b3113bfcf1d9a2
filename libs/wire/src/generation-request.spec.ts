import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GenerationRequestSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generationRequestFromWire, generationRequestToWire } from "./generation-request.ts";
import { generationRequest } from "./testing/generation-requests.ts";

type Fields = Exclude<MessageInitShape<typeof GenerationRequestSchema>, { $typeName: string }>;

const valid: Fields = {
  requestId: "r",
  modelId: "m",
  routerId: "q",
  promptTokenIds: new Uint8Array(8),
  sampling: { n: 2 },
};

const payload = (fields: Fields) =>
  toBinary(GenerationRequestSchema, create(GenerationRequestSchema, { ...valid, ...fields }));

describe("a generation request", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(generationRequest, (request) => {
        expect(generationRequestFromWire(generationRequestToWire(request))).toEqual(request);
      }),
    );
  });

  it("of which nothing is delivered yet has an empty beginning for each choice", () => {
    expect(generationRequestFromWire(payload({})).delivered).toEqual([
      { tokenIds: [], finished: false },
      { tokenIds: [], finished: false },
    ]);
  });

  const hash = new Uint8Array(32);
  it.each<[string, Fields]>([
    ["sampling", { sampling: undefined }],
    ["n", { sampling: { n: 0 } }],
    ["seed", { sampling: { n: 2, seed: 2n ** 53n } }],
    ["logit_bias_values", { sampling: { n: 2, logitBiasIds: [1, 2], logitBiasValues: [1] } }],
    ["prompt_token_ids", { promptTokenIds: new Uint8Array() }],
    ["prompt_token_ids", { promptTokenIds: new Uint8Array(7) }],
    ["delivered", { delivered: [{ tokenIds: [1] }] }],
    ["images.run_counts", { images: [{ contentHash: hash, runStarts: [0], runCounts: [] }] }],
    ["images.run_starts", { images: [{ contentHash: hash, runStarts: [1], runCounts: [2] }] }],
    ["images.content_hash", { images: [{ contentHash: new Uint8Array(31) }] }],
    ["deadline_ms", { deadlineMs: 2n ** 63n }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => generationRequestFromWire(payload(fields))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });

  it("that is cut off is refused", () => {
    expect(() => generationRequestFromWire(payload({}).subarray(0, 5))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field: "payload" }),
    );
  });
});
