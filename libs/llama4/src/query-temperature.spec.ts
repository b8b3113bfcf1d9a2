import { expect, test } from "vitest";
import { queryTemperature } from "./query-temperature.ts";

test("a global layer's query grows by a step at each multiple of the floor", () => {
  const config = { temperatureTuning: { scale: 0.1, floorScale: 8192 } };
  const expected = [
    [0, 1],
    [8190, 1],
    [8191, 1.0693],
    [131_071, 1.2833],
    [1_048_575, 1.48598],
    [10_485_759, 1.7155],
  ] as const;
  for (const [position, factor] of expected) expect(queryTemperature(config, position)).toBeCloseTo(factor, 4);
  expect(queryTemperature({ temperatureTuning: null }, 10_485_759)).toBe(1);
});
