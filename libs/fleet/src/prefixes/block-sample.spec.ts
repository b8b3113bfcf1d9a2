import { BLOCK_HASH_BYTES } from "@drover/kv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sampledBlocks, sampledEnd, sampleHashes } from "./block-sample.ts";

describe("sampledBlocks", () => {
  it("short chains are seen whole, and a million tokens by 1,024 hashes", () => {
    expect(sampledBlocks(256)).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect(sampledBlocks(2 ** 20 / 64)).toHaveLength(256 + 6 * 128);
  });

  it("the end of any prefix lies less than 1/128 of its length after a sampled block", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40_000 }), (length) => {
        const last = sampledBlocks(length).at(-1) ?? -1;
        expect(length - 1 - last).toBeLessThanOrEqual(length / 128);
      }),
    );
  });

  it("a longer chain's sample begins with the shorter one's", () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(5000), (a, b) => {
        const short = sampledBlocks(Math.min(a, b));
        expect(sampledBlocks(Math.max(a, b)).slice(0, short.length)).toEqual(short);
      }),
    );
  });

  it("so many sampled blocks end where the last of them does", () => {
    const blocks = sampledBlocks(2 ** 15);
    for (let count = 1; count <= blocks.length; count++) expect(sampledEnd(count)).toBe((blocks[count - 1] ?? 0) + 1);
    expect(sampledEnd(0)).toBe(0);
  });

  it("hashes go with their blocks", () => {
    const wire = new Uint8Array(1000 * BLOCK_HASH_BYTES);
    const view = new DataView(wire.buffer);
    for (let block = 0; block < 1000; block++) view.setUint32(block * BLOCK_HASH_BYTES, block);
    const sample = sampleHashes(wire);
    const named = sampledBlocks(1000).map((_, i) => new DataView(sample.buffer).getUint32(i * BLOCK_HASH_BYTES));
    expect(named).toEqual(sampledBlocks(1000));
  });
});
