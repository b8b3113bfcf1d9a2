import { expect, test } from "vitest";
import { BlockHashes } from "./block-hashes.ts";
import { type KvKind, kvGeometry } from "./geometry.ts";
import { KvCache } from "./kv-cache.ts";
import { CountingStore } from "./kv-store.ts";
import { BLOCK_HASH_BYTES } from "./limits.ts";
import type { OpenSequence } from "./open-sequence.ts";

const geometry = {
  ...kvGeometry({ isGlobalLayer: [false, false, false, true], chunkSize: 256, kvHeadCount: 1, headDim: 1 }, "f32"),
  rowBytes: 1,
};

/** A prompt that begins with `common` tokens of all others, and has `own` ones behind. */
function open(cache: KvCache, name: number, common: number, own: number): OpenSequence {
  const hashes = new BlockHashes({ modelFingerprint: "m", salt: "" });
  hashes.append([...Array<number>(common).fill(0), ...Array<number>(own).fill(name)]);
  return cache.open(hashes, { promptLength: common + own });
}

function compute(cache: KvCache, sequence: OpenSequence, ...steps: readonly number[]): void {
  for (const rowCount of steps) {
    expect(cache.reserve(sequence, rowCount)).toBe(true);
    cache.commit(sequence, rowCount);
  }
}

const partsOf = (cache: KvCache, sequence: OpenSequence, kind: KvKind, segment: number) =>
  cache
    .parts(sequence, kind, segment)
    .map((part) => `e${part.extent}[${part.firstRow}, ${part.firstRow + part.rowCount}) at ${part.position}`);

const allocated = (cache: KvCache) => [cache.bytes("global").allocated, cache.bytes("local").allocated];

/** The kinds of the blocks that a sequence evicts which takes ever more memory, in their order. */
function evictedKinds(cache: KvCache): KvKind[] {
  const greedy = open(cache, 9, 0, 5000);
  cache.takeEvents();
  while (cache.reserve(greedy, 10)) cache.commit(greedy, 10);
  const removed = cache.takeEvents().filter(({ operation }) => operation === "removed");
  return removed.flatMap(({ kind, hashes }) => Array<KvKind>(hashes.length / BLOCK_HASH_BYTES).fill(kind));
}

test("the worked example of docs/kv.md is what the cache does", () => {
  const cache = new KvCache(geometry, new CountingStore(geometry), { bytesMax: 4000, prefixCache: true });
  const a = open(cache, 1, 600, 100);
  compute(cache, a, 300, 400);
  expect(partsOf(cache, a, "global", 0)).toEqual(["e1[0, 700) at 0"]);
  expect(partsOf(cache, a, "local", 2)).toEqual(["e4[0, 188) at 512"]);
  expect(allocated(cache)).toEqual([704, 576]);
  cache.close(a, true);
  expect(allocated(cache)).toEqual([640, 384]);

  const b = open(cache, 2, 600, 60);
  expect([b.cachedCount, b.branchAt]).toEqual([576, undefined]);
  compute(cache, b, 84);
  expect(partsOf(cache, b, "global", 0)).toEqual(["e1[0, 576) at 0", "e5[0, 84) at 576"]);
  expect(partsOf(cache, b, "local", 2)).toEqual(["e6[0, 148) at 512"]);
  cache.close(b, true);
  expect(allocated(cache)).toEqual([640 + 64, 384 + 192]);

  const c = open(cache, 3, 400, 100);
  expect([c.cachedCount, c.branchAt]).toEqual([256, 384]);
  expect([c.writeFrom("global"), c.writeFrom("local")]).toEqual([384, 256]);
  compute(cache, c, 244, 12);
  cache.close(c, true);
  const d = open(cache, 4, 400, 100);
  expect(d.cachedCount).toBe(384);
  cache.checkIntegrity();
});

test("leaves go in the order of docs/kv.md, which is that of age times weight", () => {
  const cache = new KvCache(geometry, new CountingStore(geometry), { bytesMax: 4000, prefixCache: true });
  for (const [name, common, own] of [
    [1, 600, 100],
    [2, 600, 60],
    [3, 400, 100],
  ] as const) {
    const sequence = open(cache, name, common, own);
    compute(cache, sequence, common + own - sequence.length);
    cache.close(sequence, true);
  }
  const order = [
    ...["local", "local"], // [9] of A, [9] of B
    ...["local", "local", "local"], // [4 .. 6] of C
    "local", // [8] of A and B
    ...["global", "global", "global"], // [9] of A, [9] of B, [6] of C
  ];
  expect(evictedKinds(cache).slice(0, order.length)).toEqual(order);
  cache.checkIntegrity();
});
