import fc from "fast-check";
import { expect, test } from "vitest";
import { FeatureCache } from "./feature-cache.ts";

const rows = (count: number) => new Float32Array(count);

test("the features that were not used for longest go first", () => {
  const cache = new FeatureCache(3 * 4);
  for (const name of ["a", "b", "c"]) expect(cache.put(name, rows(1))).toBe(true);
  cache.find("a");
  cache.put("d", rows(1));
  expect(["a", "b", "c", "d"].map((name) => cache.has(name))).toEqual([true, false, true, true]);
  cache.put("e", rows(2));
  expect(["a", "c", "d", "e"].map((name) => cache.has(name))).toEqual([false, false, true, true]);
});

test("asking whether they are here is no use of them", () => {
  const cache = new FeatureCache(2 * 4);
  cache.put("a", rows(1));
  cache.put("b", rows(1));
  cache.has("a");
  cache.put("c", rows(1));
  expect(cache.has("a")).toBe(false);
});

test("features larger than the cache are not kept, and cost no others their place", () => {
  const cache = new FeatureCache(8);
  cache.put("a", rows(2));
  expect(cache.put("b", rows(3))).toBe(false);
  expect(cache.has("a")).toBe(true);
});

test("what is found is counted as hit or miss, what is read is not", () => {
  const cache = new FeatureCache(8);
  cache.put("a", rows(2));
  cache.find("a");
  cache.find("b");
  cache.read("a");
  expect(cache.facts).toEqual({ hits: 1, misses: 1, byteCount: 8, entryCount: 1 });
});

test("the bytes accounted are the bytes held, and never above the limit", () => {
  const operation = fc.record({
    kind: fc.constantFrom("put", "find"),
    name: fc.constantFrom("a", "b", "c", "d"),
    count: fc.nat(6),
  });
  fc.assert(
    fc.property(fc.nat(40), fc.array(operation), (bytesMax, operations) => {
      const cache = new FeatureCache(bytesMax);
      const names = new Set<string>();
      for (const { kind, name, count } of operations) {
        if (kind === "put" && cache.put(name, rows(count))) expect(cache.read(name)).toHaveLength(count);
        else cache.find(name);
        names.add(name);
        const held = [...names].flatMap((one) => cache.read(one) ?? []);
        expect(cache.facts.byteCount).toBe(held.reduce((sum, { byteLength }) => sum + byteLength, 0));
        expect(cache.facts.entryCount).toBe(held.length);
        expect(cache.facts.byteCount).toBeLessThanOrEqual(bytesMax);
      }
    }),
  );
});
