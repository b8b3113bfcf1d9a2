import type { ImageTiles } from "@drover/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TilesCache } from "./tiles-cache.ts";

const tilesOf = (bytes: number): ImageTiles => ({
  grid: { rows: 1, cols: 1 },
  tileSize: 1,
  pixels: new Uint8Array(bytes),
  contentHash: "",
});

describe("a cache of tiles", () => {
  test("forgets what was used longest ago when its bytes are too many", () => {
    const cache = new TilesCache(10);
    cache.set("a", tilesOf(4));
    cache.set("b", tilesOf(4));
    cache.get("a");
    cache.set("c", tilesOf(4));
    expect(["a", "b", "c"].map((hash) => cache.get(hash) !== undefined)).toEqual([true, false, true]);
  });

  test("does not take, nor make room for, what never fits", () => {
    const cache = new TilesCache(10);
    cache.set("a", tilesOf(10));
    cache.set("b", tilesOf(11));
    expect(cache.get("a")).toBeDefined();
    expect(cache.get("b")).toBeUndefined();
  });

  test("counts the bytes it holds, and never too many", () => {
    const step = fc.record({ hash: fc.constantFrom("a", "b", "c", "d", "e"), bytes: fc.nat(12), isSet: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const cache = new TilesCache(20);
        for (const { hash, bytes, isSet } of steps) {
          if (isSet) cache.set(hash, tilesOf(bytes));
          else cache.get(hash);
          const held = ["a", "b", "c", "d", "e"].map((each) => cache.get(each)?.pixels.byteLength ?? 0);
          expect(cache.bytes).toBe(held.reduce((sum, each) => sum + each, 0));
          expect(cache.bytes).toBeLessThanOrEqual(20);
        }
      }),
    );
  });
});
