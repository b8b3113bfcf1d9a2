import fc from "fast-check";
import { expect, test } from "vitest";
import { keptTokens, ranked } from "../testing/kept-tokens.ts";
import { rows } from "../testing/sample-input.ts";
import { topK } from "./top-k.ts";

test("the k likeliest tokens are kept, the lower ids among equals, at every temperature", () => {
  fc.assert(
    fc.property(rows, fc.constantFrom(0.3, 1, 4), fc.integer({ min: 1, max: 90 }), (row, temperature, k) => {
      const best = ranked(row, { temperature }).slice(0, k);
      const ascending = best.map(({ id }) => id).sort((a, b) => a - b);
      expect(keptTokens(row, { temperature, topK: k }, topK)).toEqual(ascending);
    }),
  );
});
