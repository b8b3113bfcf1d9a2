import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput } from "../testing/sample-input.ts";
import { temperature } from "./temperature.ts";

test("weights are e^(score / temperature), the likeliest token's being 1, and at 0 there are none", () => {
  fc.assert(
    fc.property(rows, fc.double({ min: 0.05, max: 20, noNaN: true }), (row, value) => {
      const { params } = sampleInput({ params: { temperature: value } });
      const scores = Float32Array.from(row);
      const best = Math.max(...scores);
      const weights = temperature.apply(scores, best, params).weights();
      expect(at(weights, scores.indexOf(best))).toBe(1);
      for (const [id, score] of scores.entries())
        expect(at(weights, id)).toBeCloseTo(Math.exp((score - best) / value), 12);
    }),
  );
  expect(temperature.needed(sampleInput({ params: { temperature: 0.01 } }))).toBe(true);
  expect(temperature.needed(sampleInput({ params: { temperature: 0 } }))).toBe(false);
});
