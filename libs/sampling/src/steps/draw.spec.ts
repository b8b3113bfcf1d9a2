import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { tokenAt } from "./draw.ts";

/** Whole numbers, so that sums are exact. */
const weightRows = fc.array(fc.nat(20), { minLength: 1, maxLength: 20 });

test("over even shares every token is drawn exactly as often as it weighs", () => {
  fc.assert(
    fc.property(weightRows, (row) => {
      const weights = Float64Array.from(row);
      const total = weights.reduce((a, b) => a + b, 0);
      const counts = new Float64Array(row.length);
      for (let i = 0; i < total; i++) {
        const id = tokenAt(weights, (i + 0.5) / total);
        if (id !== undefined) counts[id] = at(counts, id) + 1;
      }
      expect(counts).toEqual(weights);
    }),
  );
});

test("a token of weight 0 is never drawn, at whatever share, and none where nothing weighs anything", () => {
  fc.assert(
    fc.property(weightRows, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (row, share) => {
      const weights = Float64Array.from(row, (weight) => weight / 7);
      const id = tokenAt(weights, share);
      if (row.every((weight) => weight === 0)) expect(id).toBeUndefined();
      else expect(at(weights, id ?? -1)).toBeGreaterThan(0);
    }),
  );
});
