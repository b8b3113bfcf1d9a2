import type { LimitStep } from "../step.ts";

/**
 * Top-p keeps the fewest likeliest tokens that have this share of what the limits before it have left, the lower ids among equals. Source: Holtzman
 * et al. (2019).
 */
export const topP: LimitStep = {
  needed: ({ params }) => params.topP < 1,
  apply: (candidates, { topP }) => candidates.keep(candidates.ranking.shortestPrefixWeighing(topP * candidates.weight)),
};
