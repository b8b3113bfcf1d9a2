import { seededRandom } from "@drover/core";
import { expect, test } from "vitest";
import { beginTimes } from "./begin-times.ts";

const COUNT = 20_000;

test.each([0.25, 1, 4])("gaps of a rate have its mean, and a spread that follows from burstiness %d", (burstiness) => {
  const times = beginTimes({ kind: "rate", perSecond: 50, burstiness }, COUNT, seededRandom(3));
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
  expect(times[0]).toBe(0);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(mean / 20).toBeCloseTo(1, 1);
  // A gamma distribution's squared coefficient of variation is one over its shape.
  expect((variance / mean ** 2) * burstiness).toBeGreaterThan(0.85);
  expect((variance / mean ** 2) * burstiness).toBeLessThan(1.15);
});

test("where ends say when the next begins, there are no times", () => {
  expect(beginTimes({ kind: "concurrency", inFlight: 4 }, 3, seededRandom(1))).toEqual([0, 0, 0]);
});
