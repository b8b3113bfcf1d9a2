import type { ScoreStep } from "../step.ts";

/**
 * The repetition penalty of every token that prompt or output has, however often: positive scores are divided by it,
 * negative ones multiplied. Source: vLLM, apply_repetition_penalties (_custom_ops.py), after Keskar et al., CTRL,
 * section 4.1.
 */
export const repetitionPenalty: ScoreStep = {
  needed: ({ params }) => params.repetitionPenalty !== 1,
  apply: (scores, { params, history }) => {
    for (const id of history.seen()) {
      const score = scores[id] ?? 0;
      scores[id] = score > 0 ? score / params.repetitionPenalty : score * params.repetitionPenalty;
    }
  },
};
