import { kvBytes, kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { forecastBytes } from "./kv-forecast.ts";
import { OutputLengths } from "./output-lengths.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 256, kvHeadCount: 2, headDim: 8 },
  "f32",
);

/** Plays the growth token by token. */
function played(choices: ReadonlyArray<Readonly<{ length: number; remaining: number }>>): number {
  let most = 0;
  const longest = Math.max(0, ...choices.map(({ remaining }) => remaining));
  for (let t = 0; t <= longest; t++) {
    let sum = 0;
    for (const { length, remaining } of choices)
      if (t <= remaining) sum += kvBytes(geometry, Math.max(0, length + t - 1), length + t);
    most = Math.max(most, sum);
  }
  return most;
}

const choice = fc.record({ length: fc.integer({ min: 1, max: 900 }), remaining: fc.nat(200) });

test("the forecast of outputs within a chunk is what growing token by token takes", () => {
  fc.assert(
    fc.property(fc.array(choice, { maxLength: 12 }), (choices) => {
      expect(forecastBytes(choices, geometry)).toBe(played(choices));
    }),
    { numRuns: 50 },
  );
});

test("the forecast of many and longer outputs is within a tenth of it", () => {
  const long = fc.record({ length: fc.integer({ min: 1, max: 900 }), remaining: fc.nat(600) });
  fc.assert(
    fc.property(fc.array(long, { minLength: 40, maxLength: 90 }), (choices) => {
      const exact = played(choices);
      const forecast = forecastBytes(choices, geometry);
      expect(forecast).toBeLessThanOrEqual(exact);
      expect(forecast).toBeGreaterThan(0.9 * exact);
    }),
    { numRuns: 20 },
  );
});

test("what ends soon leaves its room to what grows later", () => {
  const early = { length: 2000, remaining: 5 };
  const late = { length: 10, remaining: 1500 };
  const apart = forecastBytes([early], geometry) + forecastBytes([late], geometry);
  expect(forecastBytes([early, late], geometry)).toBeLessThan(0.7 * apart);
});

test("outputs are expected to be as long as those that ended lately, and never longer than they may be", () => {
  const outputs = new OutputLengths();
  for (let i = 0; i < 500; i++) outputs.observe(300);
  expect(outputs.remaining(0, 1000)).toBeCloseTo(300, -1);
  expect(outputs.remaining(0, 50)).toBe(50);
  expect(outputs.remaining(250, 1000)).toBeLessThan(80);
  for (let i = 0; i < 500; i++) outputs.observe(10);
  expect(outputs.remaining(0, 1000)).toBeLessThan(20);
});

test("an output that is past what was expected is expected to go on", () => {
  const outputs = new OutputLengths();
  for (let i = 0; i < 500; i++) outputs.observe(10);
  expect(outputs.remaining(400, 1000)).toBe(100);
  expect(outputs.remaining(1000, 1000)).toBe(0);
});
