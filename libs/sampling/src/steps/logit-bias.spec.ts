import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput, tokenIds } from "../testing/sample-input.ts";
import { logitBias } from "./logit-bias.ts";

test("a token's score rises by its bias, others keep theirs, and ids beyond the vocabulary are ignored", () => {
  fc.assert(
    fc.property(rows, tokenIds, fc.integer({ min: -100, max: 100 }), (row, ids, bias) => {
      const unique = [...new Set(ids)];
      const input = sampleInput({ params: { logitBias: unique.map((id) => [id, bias] as const) } });
      expect(logitBias.needed(input)).toBe(unique.length > 0);
      const before = Float32Array.from(row);
      const scores = before.slice();
      logitBias.apply(scores, input);
      expect(scores).toEqual(before.map((score, id) => (unique.includes(id) ? score + bias : score)));
    }),
  );
});
