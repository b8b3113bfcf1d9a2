import type { ScoreStep } from "../step.ts";

/**
 * The penalties of tokens that the output has: presence once, frequency for each time; a prompt's tokens have none. One
 * step, so that a score is rounded once. Source: vLLM, model_executor/layers/utils.py (apply_penalties), with OpenAI's
 * definitions.
 */
export const outputPenalties: ScoreStep = {
  needed: ({ params }) => params.presencePenalty !== 0 || params.frequencyPenalty !== 0,
  apply: (scores, { params, history }) => {
    for (const [id, count] of history.output()) {
      scores[id] = (scores[id] ?? 0) - params.frequencyPenalty * count - params.presencePenalty;
    }
  },
};
