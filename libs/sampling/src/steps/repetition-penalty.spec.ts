import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput, tokenIds } from "../testing/sample-input.ts";
import { repetitionPenalty } from "./repetition-penalty.ts";

const penalties = fc.float({ min: Math.fround(0.1), max: 5, noNaN: true });

test("positive scores of tokens that were seen are divided and negative ones multiplied, once, and others are kept", () => {
  fc.assert(
    fc.property(rows, tokenIds, tokenIds, penalties, (row, prompt, output, penalty) => {
      const input = sampleInput({ params: { repetitionPenalty: penalty }, prompt, output: [...output, ...output] });
      const before = Float32Array.from(row);
      const scores = before.slice();
      repetitionPenalty.apply(scores, input);
      const seen = new Set([...prompt, ...output]);
      expect(scores).toEqual(
        before.map((score, id) => (!seen.has(id) ? score : score > 0 ? score / penalty : score * penalty)),
      );
    }),
  );
});

test("a penalty above 1 never makes a token likelier, and one below 1 never less likely", () => {
  fc.assert(
    fc.property(rows, tokenIds, penalties, (row, prompt, penalty) => {
      const before = Float32Array.from(row);
      const scores = before.slice();
      repetitionPenalty.apply(scores, sampleInput({ params: { repetitionPenalty: penalty }, prompt }));
      for (const [id, score] of scores.entries())
        expect(Math.sign(1 - penalty) * (score - (before[id] ?? Number.NaN))).toBeGreaterThanOrEqual(0);
    }),
  );
});
