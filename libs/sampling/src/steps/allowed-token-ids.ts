import type { ScoreStep } from "../step.ts";

/** The request's own choice of tokens: no other one is ever chosen. Source: vLLM's `allowed_token_ids`. */
export const allowedTokenIds: ScoreStep = {
  needed: ({ params }) => params.allowedTokenIds.length > 0,
  apply: (scores, { params }) => {
    const kept = params.allowedTokenIds.map((id) => scores[id]);
    scores.fill(Number.NEGATIVE_INFINITY);
    for (const [i, id] of params.allowedTokenIds.entries()) {
      const score = kept[i];
      // Ids beyond the vocabulary fall away.
      if (score !== undefined) scores[id] = score;
    }
  },
};
