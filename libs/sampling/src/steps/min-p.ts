import type { LimitStep } from "../step.ts";

/**
 * Min-p keeps tokens that have at least this part of the likeliest one's share. Source: Nguyen et al., Turning Up the
 * Heat (2024).
 */
export const minP: LimitStep = {
  needed: ({ params }) => params.minP > 0,
  apply: (candidates, { minP }) => candidates.keepAbove(Math.log(minP)),
};
