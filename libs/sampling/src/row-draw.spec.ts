import { greedyParams, type SamplingParams } from "@drover/core";
import { expect, test } from "vitest";
import { rowDraw } from "./row-draw.ts";
import { TokenHistory } from "./token-history.ts";

const VOCAB = 40;
const draw = (params: Partial<SamplingParams>, allowed?: Uint32Array) => ({
  params: { ...greedyParams(9), ...params },
  history: new TokenHistory([1, 50]),
  choice: 0,
  index: 0,
  allowed,
});

test("what only the chain decides is left to it: a bias that is given twice, and bans that may give way", () => {
  expect(
    rowDraw(
      draw({
        logitBias: [
          [3, 1],
          [3, 2],
        ],
      }),
      VOCAB,
    ),
  ).toBeUndefined();
  expect(rowDraw(draw({ bannedSequences: [[3]], allowedTokenIds: [3, 4] }), VOCAB)).toBeUndefined();
});

test("ids beyond the vocabulary fall away, and of the tokens that grammar and request allow those of both are left", () => {
  const params: Partial<SamplingParams> = {
    ...{
      repetitionPenalty: 2,
      logitBias: [[41, 1]],
      allowedTokenIds: [2, 35, 99],
      minTokens: 3,
      stopTokenIds: [7, 77],
    },
  };
  expect(rowDraw(draw(params, Uint32Array.of(4, 0)), VOCAB)).toMatchObject({
    ...{ seen: [1], biases: [], banned: [7], allowed: Uint32Array.of(4, 0), output: [] },
  });
  expect(rowDraw(draw(params), VOCAB)?.allowed).toEqual(Uint32Array.of(4, 8));
});
