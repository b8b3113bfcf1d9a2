import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput, tokenIds } from "../testing/sample-input.ts";
import { minTokens } from "./min-tokens.ts";

test("end tokens, and no others, are banned below min_tokens", () => {
  fc.assert(
    fc.property(rows, tokenIds, fc.nat(4), fc.nat(4), (row, stopTokenIds, least, index) => {
      const input = sampleInput({ params: { minTokens: least, stopTokenIds }, index });
      expect(minTokens.needed(input)).toBe(index < least && stopTokenIds.length > 0);
      const scores = Float32Array.from(row);
      minTokens.apply(scores, input);
      expect(scores).toEqual(Float32Array.from(row, (score, id) => (stopTokenIds.includes(id) ? -Infinity : score)));
    }),
  );
});

test("a grammar whose output is complete may end it below min_tokens", () => {
  const params = { minTokens: 5, stopTokenIds: [1, 2] };
  expect(minTokens.needed(sampleInput({ params, allowed: Uint32Array.of(0b0110) }))).toBe(false);
  expect(minTokens.needed(sampleInput({ params, allowed: Uint32Array.of(0b1110) }))).toBe(true);
});
