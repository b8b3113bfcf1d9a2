import { create } from "@bufbuild/protobuf";
import {
  EncodeFrameSchema,
  EncodeReplySchema,
  FeatureFrameSchema,
  FeaturesRequestSchema,
  ProbeReplySchema,
  ProbeRequestSchema,
} from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes } from "./testing/queue-jobs.ts";
import { travelled } from "./testing/travelled.ts";
import { u32 } from "./testing/values.ts";
import {
  encodedFromWire,
  encodedToWire,
  featuresFrameFromWire,
  featuresFrameToWire,
  featuresRequestFromWire,
  featuresRequestToWire,
  probeFromWire,
  probeReplyFromWire,
  probeReplyToWire,
  probeToWire,
  tilesFrameFromWire,
  tilesFrameToWire,
} from "./vision-calls.ts";

const contentHash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Buffer.from(hash).toString("hex"));
const head = fc.option(fc.record({ contentHash, tileCount: u32, tileSize: u32 }), { nil: undefined });
const rowCount = fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { nil: undefined });

describe("what is asked of a vision worker, and what it gives", () => {
  it("is read as it was written", () => {
    const tiles = fc.record({ head, pixels: bytes });
    const hashes = fc.array(contentHash, { maxLength: 3 });
    const held = fc.array(fc.boolean(), { maxLength: 3 });
    const encoded = fc.record({ rowCount: u32, cached: fc.boolean() });
    const features = fc.record({ rowCount, bytes });
    fc.assert(
      fc.property(tiles, hashes, held, encoded, features, (tiles, hashes, held, encoded, features) => {
        expect(tilesFrameFromWire(travelled(EncodeFrameSchema, tilesFrameToWire(tiles)))).toEqual(tiles);
        expect(probeFromWire(travelled(ProbeRequestSchema, probeToWire(hashes)))).toEqual(hashes);
        expect(probeReplyFromWire(travelled(ProbeReplySchema, probeReplyToWire(held)))).toEqual(held);
        expect(encodedFromWire(travelled(EncodeReplySchema, encodedToWire(encoded)))).toEqual(encoded);
        expect(featuresFrameFromWire(travelled(FeatureFrameSchema, featuresFrameToWire(features)))).toEqual(features);
        for (const hash of hashes)
          expect(featuresRequestFromWire(travelled(FeaturesRequestSchema, featuresRequestToWire(hash)))).toBe(hash);
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ["content_hash", () => tilesFrameFromWire(create(EncodeFrameSchema, { contentHash: new Uint8Array(31) }))],
    ["content_hash", () => tilesFrameFromWire(create(EncodeFrameSchema, { tileCount: 1 }))],
    ["content_hash", () => featuresRequestFromWire(create(FeaturesRequestSchema))],
    ["content_hashes", () => probeFromWire(create(ProbeRequestSchema, { contentHashes: [new Uint8Array(33)] }))],
  ])("with a wrong %s is refused, and the field is named", (field, read) => {
    expect(read).toThrowError(expect.objectContaining({ code: "invalid_argument", field }));
  });
});
