import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockHashes, keyAt, wireOf } from "./block-hashes.ts";
import { BLOCK_TOKENS } from "./limits.ts";

const SEED = { modelFingerprint: "model", salt: "tenant" };
const IMAGE = createHash("sha256").update("an image").digest("hex");
const OTHER = createHash("sha256").update("another image").digest("hex");

function hashesOf(ids: readonly number[], seed = SEED, images: ConstructorParameters<typeof BlockHashes>[1] = []) {
  const hashes = new BlockHashes(seed, images);
  hashes.append(ids);
  return hashes;
}

const count = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

describe("BlockHashes", () => {
  it("a chain depends on its tokens, not on how they arrived or where it was resumed", () => {
    const ids = fc.array(fc.integer({ min: 0, max: 201_134 }), { maxLength: 400 });
    fc.assert(
      fc.property(ids, fc.array(fc.nat(90)), fc.nat(400), (all, cuts, at) => {
        const whole = hashesOf(all);
        const parts = new BlockHashes(SEED);
        let done = 0;
        for (const cut of [...cuts, all.length]) {
          parts.append(Int32Array.from(all.slice(done, done + cut)));
          done += cut;
        }
        expect(parts.wire).toEqual(whole.wire);
        const begun = hashesOf(all.slice(0, at));
        const pending = all.slice(begun.blockCount * BLOCK_TOKENS, at);
        const resumed = BlockHashes.resume(SEED, begun.wire.slice(), Int32Array.from(pending));
        resumed.append(all.slice(at));
        expect(resumed.wire).toEqual(whole.wire);
        expect(resumed.tokenCount).toBe(all.length);
      }),
    );
  });

  it("chains are equal up to the block of the first difference, and nowhere after it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 639 }), (at) => {
        const ids = count(640);
        const one = hashesOf(ids);
        const two = hashesOf(ids.map((id, i) => (i === at ? id + 1 : id)));
        for (let block = 0; block < 10; block++)
          expect(one.key(block) === two.key(block)).toBe(block < Math.floor(at / BLOCK_TOKENS));
      }),
    );
  });

  it("models and salts never share a name, also where their texts run together", () => {
    const ids = count(BLOCK_TOKENS);
    const seeds = [
      { modelFingerprint: "a", salt: "bc" },
      { modelFingerprint: "ab", salt: "c" },
      { modelFingerprint: "a", salt: '","bc' },
      { modelFingerprint: "abc", salt: "" },
    ];
    expect(new Set(seeds.map((seed) => hashesOf(ids, seed).key(0))).size).toBe(seeds.length);
  });

  it("equal patch ids with another picture, another place or another part of it have another name", () => {
    const ids = new Array<number>(3 * BLOCK_TOKENS).fill(4095);
    const images = (contentHash: string, start: number, length: number) => [
      { contentHash, runs: [{ start, count: length }] },
    ];
    const chains = [
      hashesOf(ids),
      hashesOf(ids, SEED, images(IMAGE, 70, 10)),
      hashesOf(ids, SEED, images(OTHER, 70, 10)),
      hashesOf(ids, SEED, images(IMAGE, 71, 10)),
      hashesOf(ids, SEED, images(IMAGE, 70, 11)),
      hashesOf(ids, SEED, images(IMAGE, 60, 20)),
    ];
    expect(new Set(chains.map((chain) => chain.key(1))).size).toBe(chains.length);
    // Before the picture nothing differs.
    expect(new Set(chains.slice(0, 5).map((chain) => chain.key(0))).size).toBe(1);
  });

  it("a block after a picture's has the name of all before it, and a prompt cut there is resumed", () => {
    const ids = new Array<number>(3 * BLOCK_TOKENS).fill(7);
    const images = [
      {
        contentHash: IMAGE,
        runs: [
          { start: 10, count: 5 },
          { start: 100, count: 40 },
        ],
      },
    ];
    const whole = hashesOf(ids, SEED, images);
    expect(whole.key(2)).not.toBe(hashesOf(ids).key(2));
    const begun = hashesOf(ids.slice(0, 80), SEED, images);
    const resumed = BlockHashes.resume(SEED, begun.wire, Int32Array.from(ids.slice(64, 80)), images);
    resumed.append(ids.slice(80));
    expect(resumed.wire).toEqual(whole.wire);
  });

  it("keys and the wire say the same", () => {
    const hashes = hashesOf(count(5 * BLOCK_TOKENS + 3));
    const keys = count(5).map((block) => hashes.key(block));
    expect(wireOf(keys)).toEqual(Buffer.from(hashes.wire));
    expect(keys).toEqual(count(5).map((block) => keyAt(hashes.wire, block)));
    expect(hashes.wire.length).toBe(80);
  });
});
