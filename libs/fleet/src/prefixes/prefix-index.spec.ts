import { workerId } from "@drover/core";
import { BLOCK_TOKENS, BlockHashes, CountingStore, KvCache, kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PREFIX_EVENTS_HELD_MAX } from "../limits.ts";
import { PrefixIndex } from "./prefix-index.ts";

const CHUNK = 256;
const geometry = {
  ...kvGeometry({ isGlobalLayer: [false, false, false, true], chunkSize: CHUNK, kvHeadCount: 1, headDim: 1 }, "f32"),
  rowBytes: 2,
};
const shape = { blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK };
const newCache = () => new KvCache(geometry, new CountingStore(geometry), { bytesMax: 12_000, prefixCache: true });

/** A prompt that is `common` blocks of zeros, then its own. */
function hashesOf(common: number, own: number, length: number): BlockHashes {
  const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
  hashes.append(Array.from({ length }, (_, i) => (i < common * BLOCK_TOKENS ? 0 : own)));
  return hashes;
}

/** Computes a prompt on a cache, if there is room. */
function compute(cache: KvCache, hashes: BlockHashes): void {
  const handle = cache.open(hashes, { promptLength: hashes.tokenCount });
  const rowCount = hashes.tokenCount - handle.length;
  if (cache.reserve(handle, rowCount)) cache.commit(handle, rowCount);
  cache.close(handle, true);
}

function predicted(index: PrefixIndex, name: string, hashes: BlockHashes): number {
  return index.cachedTokens(hashes.wire, hashes.tokenCount).get(workerId(name)) ?? 0;
}

describe("PrefixIndex", () => {
  it("predicts for each worker the tokens that its cache then reuses", () => {
    const prompt = fc.record({
      common: fc.nat(12),
      own: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 1, max: 1200 }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), prompt), { maxLength: 40 }), fc.array(prompt), (past, asked) => {
        const caches = ["a", "b", "c"].map((name) => ({ name, cache: newCache() }));
        const index = new PrefixIndex(shape);
        for (const [at, { common, own, length }] of past) {
          const { name, cache } = caches[at] ?? { name: "a", cache: newCache() };
          compute(cache, hashesOf(common, own, length));
          for (const event of cache.takeEvents()) expect(index.observe(workerId(name), event)).toBe("exact");
        }
        for (const { common, own, length } of asked) {
          const hashes = hashesOf(common, own, length);
          for (const { name, cache } of caches)
            expect(predicted(index, name, hashes)).toBe(cache.cachedCount(hashes, length));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is exact again after quiet, whatever was dropped, repeated or reordered", () => {
    const step = fc.record({
      common: fc.nat(12),
      own: fc.integer({ min: 1, max: 4 }),
      length: fc.integer({ min: 64, max: 1200 }),
      fate: fc.constantFrom("kept", "kept", "kept", "dropped", "repeated", "delayed"),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const cache = newCache();
        const index = new PrefixIndex(shape);
        const worker = workerId("a");
        const delayed: ReturnType<KvCache["takeEvents"]> = [];
        const deliver = (events: ReturnType<KvCache["takeEvents"]>) => {
          for (const event of events)
            if (index.observe(worker, event) === "needs_snapshot") index.restore(worker, cache.snapshot());
        };
        for (const { common, own, length, fate } of steps) {
          compute(cache, hashesOf(common, own, length));
          const events = cache.takeEvents();
          if (fate === "delayed") delayed.unshift(...events);
          else if (fate !== "dropped") deliver(events);
          if (fate === "repeated") deliver(events);
          if (fate === "kept") deliver(delayed.splice(0, 3));
        }
        deliver(delayed);
        if (index.verify(worker, cache.digest()) === "needs_snapshot") index.restore(worker, cache.snapshot());
        expect(index.verify(worker, cache.digest())).toBe("exact");
        for (const { common, own, length } of steps) {
          const hashes = hashesOf(common, own, length);
          expect(predicted(index, "a", hashes)).toBe(cache.cachedCount(hashes, length));
        }
        expect(index.blockCount(worker)).toBe(cache.digest().global.count + cache.digest().local.count);
      }),
      { numRuns: 100 },
    );
  });

  it("asks for a snapshot when a gap is not filled", () => {
    const index = new PrefixIndex(shape);
    const event = (sequence: number) =>
      ({ sequence, operation: "added", kind: "global", hashes: hashesOf(1, sequence, 64).wire }) as const;
    for (let i = 0; i < PREFIX_EVENTS_HELD_MAX; i++) expect(index.observe(workerId("a"), event(i + 2))).toBe("exact");
    expect(index.observe(workerId("a"), event(PREFIX_EVENTS_HELD_MAX + 2))).toBe("needs_snapshot");
  });

  it("knows nothing of a worker that was forgotten, and everything of one that comes back, however often", () => {
    const index = new PrefixIndex(shape);
    const hashes = hashesOf(0, 1, 640);
    for (let life = 0; life < 200; life++) {
      const cache = newCache();
      compute(cache, hashes);
      for (const event of cache.takeEvents()) index.observe(workerId("a"), event);
      expect(predicted(index, "a", hashes)).toBe(576);
      index.forget(workerId("a"));
      expect(index.cachedTokens(hashes.wire, 640).size).toBe(0);
    }
  });
});
