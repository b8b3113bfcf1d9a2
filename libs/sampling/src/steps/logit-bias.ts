import type { ScoreStep } from "../step.ts";

/** The request's own bias of single tokens, added to their scores. */
export const logitBias: ScoreStep = {
  needed: ({ params }) => params.logitBias.length > 0,
  apply: (scores, { params }) => {
    // Ids beyond the vocabulary fall away: writes outside a typed array are ignored.
    for (const [id, bias] of params.logitBias) scores[id] = (scores[id] ?? 0) + bias;
  },
};
