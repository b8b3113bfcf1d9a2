import fc from "fast-check";
import { expect, test } from "vitest";
import { rows, sampleInput, tokenIds } from "../testing/sample-input.ts";
import { outputPenalties } from "./output-penalties.ts";

const penalties = fc.float({ min: -2, max: 2, noNaN: true });

test("presence is subtracted once from a token of the output, frequency each time, and nothing for the prompt", () => {
  fc.assert(
    fc.property(rows, tokenIds, tokenIds, penalties, penalties, (row, prompt, output, presence, frequency) => {
      const params = { presencePenalty: presence, frequencyPenalty: frequency };
      const input = sampleInput({ params, prompt, output });
      const before = Float32Array.from(row);
      const scores = before.slice();
      outputPenalties.apply(scores, input);
      const countOf = (id: number) => output.filter((each) => each === id).length;
      expect(scores).toEqual(
        before.map((score, id) => (countOf(id) === 0 ? score : score - frequency * countOf(id) - presence)),
      );
    }),
  );
});
