import fc from "fast-check";
import { expect, test } from "vitest";
import { keptTokens, ranked } from "../testing/kept-tokens.ts";
import { rows } from "../testing/sample-input.ts";
import { topK } from "./top-k.ts";
import { topP } from "./top-p.ts";

const shares = fc.double({ min: 1e-12, max: 0.999, noNaN: true });
const sum = (tokens: readonly { share: number }[]) => tokens.reduce((total, { share }) => total + share, 0);

test("the fewest likeliest tokens that have the share together are kept, the lower ids among equals", () => {
  fc.assert(
    fc.property(rows, fc.constantFrom(0.3, 1, 4), shares, (row, temperature, share) => {
      const tokens = ranked(row, { temperature });
      const kept = keptTokens(row, { temperature, topP: share }, topP);
      const first = tokens.slice(0, kept.length);
      expect(kept).toEqual(first.map(({ id }) => id).sort((a, b) => a - b));
      expect(sum(first)).toBeGreaterThanOrEqual(share * (1 - 1e-9));
      expect(sum(first.slice(0, -1))).toBeLessThan(share * (1 + 1e-9));
    }),
  );
});

test("behind top-k the share is of what top-k has left", () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 90 }), shares, (row, k, share) => {
      const tokens = ranked(row, { temperature: 1 }).slice(0, k);
      const kept = keptTokens(row, { temperature: 1, topK: k, topP: share }, topK, topP);
      const first = tokens.slice(0, kept.length);
      expect(kept).toEqual(first.map(({ id }) => id).sort((a, b) => a - b));
      expect(sum(first)).toBeGreaterThanOrEqual(share * sum(tokens) * (1 - 1e-9));
      expect(sum(first.slice(0, -1))).toBeLessThan(share * sum(tokens) * (1 + 1e-9));
    }),
  );
});
