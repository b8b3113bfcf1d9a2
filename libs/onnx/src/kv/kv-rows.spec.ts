import fc from "fast-check";
import { expect, test } from "vitest";
import { KvLayout } from "./kv-rows.ts";

const shape = { kvHeadCount: 2, headDim: 8 };
const layout = new KvLayout({ ...shape, kvDtype: "int8" });
const values = fc.array(fc.float({ min: -1e4, max: 1e4, noNaN: true }), { minLength: 8, maxLength: 8 });

function written(list: readonly number[]): readonly number[] {
  const kept = layout.allocate(3);
  layout.write(kept, 4, Float32Array.from([...new Array<number>(8), ...list]), 8);
  const scale = kept.scales?.[4] ?? Number.NaN;
  return Array.from(kept.rows.subarray(32, 40), (value) => value * scale);
}

test("a value that is rounded to int8 is off by half of a 127th of its row's largest at most", () => {
  fc.assert(
    fc.property(values, (list) => {
      const half = (Math.max(...list.map(Math.abs)) / 127 / 2) * (1 + 1e-5);
      for (const [i, value] of written(list).entries())
        expect(Math.abs(value - (list[i] ?? 0))).toBeLessThanOrEqual(half);
    }),
  );
});

test("a row that was rounded stays as it is when it is rounded again", () => {
  fc.assert(
    fc.property(values, (list) => {
      const once = written(list);
      for (const [i, value] of written(once).entries()) expect(value).toBeCloseTo(once[i] ?? 0, 2);
    }),
  );
});

test("a row of zeros is zero, and one that is not finite does not become finite", () => {
  expect(written(new Array<number>(8).fill(0))).toEqual(new Array<number>(8).fill(0));
  expect(written([1, Number.POSITIVE_INFINITY, 0, 0, 0, 0, 0, 0]).some(Number.isFinite)).toBe(false);
});

test.each([
  ["f32", 64],
  ["int8", 24],
] as const)("%s rows take what is said, and a buffer that has travelled is read as it was", (kvDtype, bytes) => {
  const one = new KvLayout({ ...shape, kvDtype });
  expect(one.rowBytes).toBe(bytes);
  const kept = one.allocate(5);
  expect(kept.bytes.byteLength).toBe(5 * bytes);
  for (let row = 0; row < 10; row++)
    one.write(
      kept,
      row,
      Float32Array.from({ length: 8 }, (_, i) => row - i),
      0,
    );
  expect(one.over(new Uint8Array(kept.bytes), 5)).toEqual(kept);
});
