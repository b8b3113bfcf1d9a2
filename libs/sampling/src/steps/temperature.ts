import type { SamplingParams } from "@drover/core";
import { Candidates } from "../candidates.ts";
import type { NextToken } from "../step.ts";

/**
 * The temperature makes candidates of scores: their shares are the softmax of the scores over it. At 0 the likeliest
 * token is taken.
 */
export const temperature = {
  needed: ({ params }: NextToken): boolean => params.temperature > 0,
  /** `best` is the greatest of the scores, [V]. */
  apply: (scores: Float32Array, best: number, { temperature }: SamplingParams): Candidates =>
    new Candidates(scores, best, temperature),
};
