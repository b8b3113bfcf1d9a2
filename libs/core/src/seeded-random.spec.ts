import { expect, test } from "vitest";
import { seededRandom } from "./seeded-random.ts";

test("equal seeds repeat, different ones differ", () => {
  const take = (seed: number) => Array.from({ length: 20 }, seededRandom(seed));
  expect(take(1)).toEqual(take(1));
  expect(take(1)).not.toEqual(take(2));
});

test("numbers are spread evenly over [0, 1)", () => {
  const random = seededRandom(42);
  const bins = Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const bin = Math.floor(random() * 10);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(chiSquare).toBeLessThan(27.9); // 9 degrees of freedom, p = 0.001
  expect(bins.reduce((sum, count) => sum + count, 0)).toBe(10_000);
});
