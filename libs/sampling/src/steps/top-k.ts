import type { LimitStep } from "../step.ts";

/** Top-k keeps the k likeliest tokens, the lower ids among equals. */
export const topK: LimitStep = {
  needed: ({ params }) => params.topK > 0,
  apply: (candidates, { topK }) => candidates.keep(candidates.ranking.first(topK)),
};
