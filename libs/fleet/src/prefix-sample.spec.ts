import { workerId } from "@drover/core";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, BlockHashes } from "@drover/kv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sampledBlocks, sampleHashes } from "./prefixes/block-sample.ts";
import { PrefixIndex } from "./prefixes/prefix-index.ts";

const a = workerId("a");
const CHUNK_BLOCKS = 128;

/** An index in which one worker has the first `global` blocks of a chain, and the local rows of those from `localFrom` on. */
function indexOf(wire: Uint8Array, global: number, localFrom: number, localTo: number): PrefixIndex {
  const index = new PrefixIndex({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK_BLOCKS * BLOCK_TOKENS });
  const part = (from: number, to: number) => wire.subarray(from * BLOCK_HASH_BYTES, to * BLOCK_HASH_BYTES);
  index.observe(a, { sequence: 1, operation: "added", kind: "global", hashes: part(0, global) });
  index.observe(a, { sequence: 2, operation: "added", kind: "local", hashes: part(localFrom, localTo) });
  return index;
}

const chain = (() => {
  const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
  hashes.append(new Int32Array(4000 * BLOCK_TOKENS));
  return hashes.wire;
})();

describe("a sampled chain", () => {
  it("finds what the whole chain finds, less at most 1/128 of it, and never more", () => {
    const blocks = fc.nat(4000);
    fc.assert(
      fc.property(blocks, blocks, fc.nat(CHUNK_BLOCKS), (length, global, local) => {
        const end = Math.min(length, global);
        const chunkStart = Math.floor(end / CHUNK_BLOCKS) * CHUNK_BLOCKS;
        const index = indexOf(chain, global, chunkStart, Math.min(end, chunkStart + local));
        const wire = chain.subarray(0, length * BLOCK_HASH_BYTES);
        const tokens = length * BLOCK_TOKENS + 1;
        const whole = index.cachedTokens(wire, tokens).get(a) ?? 0;
        const sampled = index.cachedTokens(sampleHashes(wire), tokens, sampledBlocks(length)).get(a) ?? 0;
        expect(sampled).toBeLessThanOrEqual(whole);
        // In the chunk where a sample of the global blocks ends there may be no local rows: it then ends at the chunk's beginning.
        const lost = Math.ceil(whole / BLOCK_TOKENS / 128) * BLOCK_TOKENS;
        const otherChunk = Math.floor((whole - lost) / BLOCK_TOKENS / CHUNK_BLOCKS) * CHUNK_BLOCKS * BLOCK_TOKENS;
        expect(sampled).toBeGreaterThanOrEqual(Math.min(whole - lost, otherChunk));
        if (length <= 256) expect(sampled).toBe(whole);
      }),
    );
  });
});
