import { neverAborted } from "@drover/core";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, BlockHashes } from "@drover/kv";
import { describe, expect, it } from "vitest";
import { HASH_SLICE_TOKENS } from "../limits.ts";
import { hashPrompt, reusesPrefix } from "./prompt-hashes.ts";

const seed = { modelFingerprint: "m", salt: "" };
const ids = (length: number) => Uint32Array.from({ length }, (_, i) => (i * 31) % 1000);
const image = (contentHash: string) => ({
  tiles: {
    grid: { rows: 1, cols: 1 },
    tileSize: 1,
    pixels: new Uint8Array(3),
    contentHash: contentHash.repeat(64),
  },
  runs: [{ start: 70, count: 4 }],
});

describe("hashPrompt", () => {
  it("gives the chain of the whole prompt, in however many slices it was hashed", async () => {
    const promptTokenIds = ids(2 * HASH_SLICE_TOKENS + 777);
    const whole = new BlockHashes(seed);
    whole.append(Int32Array.from(promptTokenIds));
    const wire = await hashPrompt({ promptTokenIds, images: [] }, seed, neverAborted);
    expect(Buffer.from(wire).equals(whole.wire)).toBe(true);
    expect(wire.byteLength).toBe(Math.floor(promptTokenIds.length / BLOCK_TOKENS) * BLOCK_HASH_BYTES);
  });

  it("another picture in the same place changes the blocks from there on, and none before", async () => {
    const promptTokenIds = ids(200);
    const [a, b] = await Promise.all(
      ["a", "b"].map((name) => hashPrompt({ promptTokenIds, images: [image(name)] }, seed, neverAborted)),
    );
    const block = (wire: Uint8Array | undefined, i: number) =>
      Buffer.from(wire ?? []).toString("hex", 16 * i, 16 * i + 16);
    expect(block(a, 0)).toBe(block(b, 0));
    expect(block(a, 1)).not.toBe(block(b, 1));
    expect(block(a, 2)).not.toBe(block(b, 2));
  });

  it("others get the event loop between two slices, and a request that is over is hashed no further", async () => {
    let turns = 0;
    const count = () => {
      turns += 1;
      again = setImmediate(count);
    };
    let again = setImmediate(count);
    await hashPrompt({ promptTokenIds: ids(8 * HASH_SLICE_TOKENS), images: [] }, seed, neverAborted);
    clearImmediate(again);
    expect(turns).toBeGreaterThanOrEqual(7);
    const left = AbortSignal.abort(new Error("left"));
    await expect(hashPrompt({ promptTokenIds: ids(10), images: [] }, seed, left)).rejects.toThrow("left");
  });
});

it("who asks for log-probabilities or experts of the prompt takes no cached rows", () => {
  const sampling = (promptTopLogprobs: number, routedExperts: boolean) =>
    ({ sampling: { promptTopLogprobs, routedExperts } }) as unknown as Parameters<typeof reusesPrefix>[0];
  expect(reusesPrefix(sampling(-1, false))).toBe(true);
  expect(reusesPrefix(sampling(0, false))).toBe(false);
  expect(reusesPrefix(sampling(-1, true))).toBe(false);
});
