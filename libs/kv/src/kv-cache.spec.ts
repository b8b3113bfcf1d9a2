import { describe, expect, it } from "vitest";
import { BlockHashes } from "./block-hashes.ts";
import type { EvictionPolicy } from "./eviction/policy.ts";
import { kvBytes, kvGeometry } from "./geometry.ts";
import { KvCache } from "./kv-cache.ts";
import type { KvCacheOptions } from "./kv-cache-options.ts";
import { CountingStore } from "./kv-store.ts";
import type { OpenSequence } from "./open-sequence.ts";

// One global layer and three local ones of one byte a row: chunks of 256 rows, segments of 1,024, blocks of 64.
const geometry = {
  ...kvGeometry({ isGlobalLayer: [false, false, false, true], chunkSize: 256, kvHeadCount: 1, headDim: 1 }, "f32"),
  rowBytes: 1,
};

function newCache(options: Partial<KvCacheOptions> = {}) {
  const store = new CountingStore(geometry);
  return {
    store,
    cache: new KvCache(geometry, store, { bytesMax: 100_000, prefixCache: true, shareRowsMin: 0, ...options }),
  };
}

/** `common` tokens that all such prompts have, then `own` ones. */
function hashesOf(common: number, own: number, length: number): BlockHashes {
  const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
  hashes.append(Array.from({ length }, (_, i) => (i < common ? 0 : own)));
  return hashes;
}

function advance(cache: KvCache, sequence: OpenSequence, to: number): void {
  const rowCount = to - sequence.length;
  expect(cache.reserve(sequence, rowCount)).toBe(true);
  cache.commit(sequence, rowCount);
}

function compute(cache: KvCache, hashes: BlockHashes, keep = true): number {
  const sequence = cache.open(hashes, { promptLength: hashes.tokenCount });
  advance(cache, sequence, hashes.tokenCount);
  cache.close(sequence, keep);
  cache.checkIntegrity();
  return sequence.cachedCount;
}

const bytes = (cache: KvCache) => cache.bytes("global").allocated + cache.bytes("local").allocated;

describe("KvCache", () => {
  it("counts an unshared sequence to the byte as its geometry does, at every length", () => {
    for (const prefixCache of [true, false]) {
      const { cache, store } = newCache({ prefixCache });
      const sequence = cache.open(hashesOf(0, 1, 3000), { promptLength: 3000 });
      for (const rows of [1, 63, 1, 190, 2, 700, 67, 1, 975]) {
        const { length } = sequence;
        expect(cache.reserve(sequence, rows)).toBe(true);
        expect(store.byteCount).toBe(kvBytes(geometry, length, length + rows));
        cache.commit(sequence, rows);
        expect(store.byteCount).toBe(kvBytes(geometry, sequence.length, sequence.length));
        expect(bytes(cache)).toBe(store.byteCount);
      }
      cache.close(sequence, false);
      expect(store.byteCount).toBe(0);
    }
  });

  it("a prompt that was computed before hits all but its last row's block", () => {
    const { cache } = newCache();
    expect(compute(cache, hashesOf(0, 1, 1000))).toBe(0);
    expect(compute(cache, hashesOf(0, 1, 1000))).toBe(960);
    expect(compute(cache, hashesOf(0, 1, 960))).toBe(896);
    expect(compute(cache, hashesOf(0, 1, 961))).toBe(960);
  });

  it("where only global rows are left a hit ends at the chunk's boundary, and the next one at the branch", () => {
    const { cache } = newCache();
    compute(cache, hashesOf(640, 1, 1000));
    expect(compute(cache, hashesOf(640, 2, 1000))).toBe(512);
    expect(compute(cache, hashesOf(640, 3, 1000))).toBe(640);
  });

  it("global rows beyond the hit are neither written nor allocated again", () => {
    const { cache } = newCache();
    compute(cache, hashesOf(640, 1, 1000));
    const before = cache.bytes("global").allocated;
    const sequence = cache.open(hashesOf(640, 2, 1000), { promptLength: 1000 });
    expect(sequence.cachedCount).toBe(512);
    expect(sequence.writeFrom("global")).toBe(640);
    advance(cache, sequence, 640);
    expect(cache.bytes("global").allocated).toBe(before);
    expect(cache.parts(sequence, "global", 0).at(-1)?.rowCount).toBe(640);
    advance(cache, sequence, 1000);
    expect(cache.bytes("global").allocated).toBe(before + 384);
    cache.close(sequence, true);
    cache.checkIntegrity();
  });

  it("a shared prefix is held once, by however many", () => {
    const { cache } = newCache();
    compute(cache, hashesOf(2000, 1, 2010));
    const sequences = Array.from({ length: 20 }, (_, i) => {
      const sequence = cache.open(hashesOf(2000, 10 + i, 2100), { promptLength: 2100 });
      advance(cache, sequence, 2100);
      return sequence;
    });
    // The first ones find no local rows of [1792, 1984): each of them computes those until one has cached them.
    expect(sequences.at(-1)?.cachedCount).toBe(1984);
    const own = 2112 - 1984;
    expect(cache.bytes("global").allocated).toBeLessThanOrEqual(2048 + 20 * own);
    for (const sequence of sequences) cache.close(sequence, false);
    expect(cache.bytes("global").referenced + cache.bytes("local").referenced).toBe(0);
    cache.checkIntegrity();
  });

  it("a sequence that goes on where an extent ends becomes its writer: no further part", () => {
    const { cache } = newCache();
    for (let turn = 1; turn <= 5; turn++) compute(cache, hashesOf(4000, 0, 150 * turn + 10));
    const sequence = cache.open(hashesOf(4000, 0, 900), { promptLength: 900 });
    advance(cache, sequence, 900);
    expect(cache.parts(sequence, "global", 0).length).toBe(1);
  });

  it("fewer shared rows than the threshold are copied, and no segment of a new sequence has more parts than allowed", () => {
    const { cache } = newCache({ shareRowsMin: 100, segmentPartsMax: 3 });
    const hold: OpenSequence[] = [];
    for (let branch = 1; branch <= 8; branch++) {
      // Each one leaves the one before it a little later.
      const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
      hashes.append(Array.from({ length: 1000 }, (_, i) => Math.min(branch, Math.floor(i / 100))));
      const sequence = cache.open(hashes, { promptLength: 1000 });
      advance(cache, sequence, 1000);
      const parts = cache.parts(sequence, "global", 0);
      expect(parts.length).toBeLessThanOrEqual(3);
      for (const part of parts.slice(0, -1)) expect(part.rowCount).toBeGreaterThanOrEqual(100);
      hold.push(sequence);
    }
    for (const sequence of hold) cache.close(sequence, true);
    cache.checkIntegrity();
  });

  it("a request that may not reuse computes everything, and fills the cache for the next", () => {
    const { cache } = newCache();
    const hashes = hashesOf(0, 1, 1000);
    const sequence = cache.open(hashes, { promptLength: 1000, reuse: false });
    advance(cache, sequence, 1000);
    cache.close(sequence, true);
    expect(compute(cache, hashes)).toBe(960);
    const again = cache.open(hashes, { promptLength: 1000, reuse: false });
    expect(again.cachedCount).toBe(0);
    const before = bytes(cache);
    advance(cache, again, 1000);
    cache.close(again, true);
    expect(bytes(cache)).toBe(before);
    cache.checkIntegrity();
  });

  it("two that compute the same at one time leave one copy", () => {
    const { cache } = newCache();
    const one = cache.open(hashesOf(0, 1, 900), { promptLength: 900 });
    const two = cache.open(hashesOf(0, 1, 900), { promptLength: 900 });
    for (let length = 50; length <= 900; length += 50) {
      advance(cache, length % 100 === 0 ? one : two, length);
      advance(cache, length % 100 === 0 ? two : one, length);
    }
    cache.close(one, true);
    cache.close(two, true);
    cache.checkIntegrity();
    expect(cache.bytes("global").allocated).toBe(896);
    expect(cache.bytes("local").allocated).toBe(3 * 128);
  });

  it("evicts the least recently used ends first, and what an open sequence shares never", () => {
    const { cache } = newCache({ bytesMax: 8000 });
    compute(cache, hashesOf(512, 1, 1024));
    const sequence = cache.open(hashesOf(512, 99, 600), { promptLength: 600 });
    expect(sequence.cachedCount).toBe(512);
    for (let own = 2; own < 40; own++) compute(cache, hashesOf(0, own, 1024));
    expect(cache.cachedCount(hashesOf(512, 1, 1024), 1024)).toBe(512);
    expect(cache.cachedCount(hashesOf(0, 2, 1024), 1024)).toBe(0);
    expect(cache.cachedCount(hashesOf(0, 39, 1025), 1025)).toBe(1024);
    cache.close(sequence, false);
    for (let own = 40; own < 60; own++) compute(cache, hashesOf(0, own, 1024));
    expect(cache.cachedCount(hashesOf(512, 1, 1024), 1024)).toBe(0);
  });

  it("another order of eviction is one object: by use a prefix that is found often outlives newer ones", () => {
    const leastUsed: EvictionPolicy = { priority: ({ reuseCount }) => ({ base: -reuseCount, slope: 0 }) };
    const survives = (evictionPolicy?: EvictionPolicy) => {
      const { cache } = newCache({ bytesMax: 8000, ...(evictionPolicy && { evictionPolicy }) });
      for (let times = 0; times < 5; times++) compute(cache, hashesOf(0, 1, 1025));
      for (let own = 2; own < 40; own++) compute(cache, hashesOf(0, own, 1024));
      return cache.cachedCount(hashesOf(0, 1, 1025), 1025) === 1024;
    };
    expect(survives(leastUsed)).toBe(true);
    expect(survives()).toBe(false);
  });

  it("a reservation that does not fit changes nothing, and one that fits evicts what nobody uses", () => {
    const { cache } = newCache({ bytesMax: 5000 });
    compute(cache, hashesOf(0, 1, 1000));
    const cached = bytes(cache);
    const sequence = cache.open(hashesOf(0, 2, 2500), { promptLength: 2500 });
    expect(cache.reserve(sequence, 2500)).toBe(false);
    expect(bytes(cache)).toBe(cached);
    expect(cache.reserve(sequence, 900)).toBe(true);
    expect(cache.bytes("global").cached + cache.bytes("local").cached).toBeLessThan(cached);
    cache.close(sequence, false);
    cache.checkIntegrity();
  });

  it("an abandoned step is repeated in the same rows", () => {
    const { cache } = newCache();
    const sequence = cache.open(hashesOf(0, 1, 300), { promptLength: 300 });
    expect(cache.reserve(sequence, 100)).toBe(true);
    const parts = cache.parts(sequence, "global", 0);
    expect(cache.reserve(sequence, 100)).toBe(true);
    expect(cache.parts(sequence, "global", 0)).toEqual(parts);
    cache.close(sequence, true);
    expect(bytes(cache)).toBe(0);
  });

  it("without the prefix cache nothing hits and nothing stays", () => {
    const { cache, store } = newCache({ prefixCache: false });
    expect(compute(cache, hashesOf(0, 1, 1000))).toBe(0);
    expect(compute(cache, hashesOf(0, 1, 1000))).toBe(0);
    expect(store.extentCount).toBe(0);
    expect(cache.takeEvents()).toEqual([]);
  });

  it("chunks that blocks do not divide are not cached, and chunks within a block need no local rows", () => {
    for (const [chunkSize, hit] of [
      [96, 0],
      [16, 960],
    ] as const) {
      const odd = {
        ...kvGeometry({ isGlobalLayer: [false, true], chunkSize, kvHeadCount: 1, headDim: 1 }, "f32"),
        rowBytes: 2,
      };
      const cache = new KvCache(odd, new CountingStore(odd), { bytesMax: 100_000, prefixCache: true });
      compute(cache, hashesOf(0, 1, 1000));
      expect(compute(cache, hashesOf(0, 1, 1000))).toBe(hit);
      expect(cache.bytes("local").allocated).toBe(0);
    }
  });

  it("events and snapshot say the same blocks", () => {
    const { cache } = newCache({ bytesMax: 6000 });
    for (let own = 1; own < 20; own++) compute(cache, hashesOf(64 * own, own, 900));
    const sets = { global: new Set<string>(), local: new Set<string>() };
    for (const { operation, kind, hashes } of cache.takeEvents())
      for (let at = 0; at < hashes.length; at += 16) {
        const name = Buffer.from(hashes.subarray(at, at + 16)).toString("hex");
        if (operation === "added") sets[kind].add(name);
        else sets[kind].delete(name);
      }
    const snapshot = cache.snapshot();
    for (const kind of ["global", "local"] as const) {
      expect(snapshot[kind].length).toBe(16 * sets[kind].size);
      for (let at = 0; at < snapshot[kind].length; at += 16)
        expect(sets[kind].has(Buffer.from(snapshot[kind].subarray(at, at + 16)).toString("hex"))).toBe(true);
    }
    expect(snapshot.sequence).toBe(cache.digest().sequence);
  });
});
