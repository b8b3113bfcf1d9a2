import type { ScoreStep } from "../step.ts";
import { allowsOtherThan } from "./allowed-tokens.ts";

/**
 * The ban on end tokens before an output has `minTokens`. Where a grammar allows nothing else, its output is complete:
 * then the end may come, because any other token would break the grammar; and so it may where a request allows nothing else.
 */
export const minTokens: ScoreStep = {
  needed: ({ params, index, allowed }) =>
    index < params.minTokens &&
    params.stopTokenIds.length > 0 &&
    (allowed === undefined || allowsOtherThan(allowed, params.stopTokenIds)) &&
    (params.allowedTokenIds.length === 0 || params.allowedTokenIds.some((id) => !params.stopTokenIds.includes(id))),
  apply: (scores, { params }) => {
    // Ids beyond the vocabulary fall away: writes outside a typed array are ignored.
    for (const id of params.stopTokenIds) scores[id] = Number.NEGATIVE_INFINITY;
  },
};
