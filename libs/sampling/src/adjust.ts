import type { SamplingParams } from "@drover/core";
import { scoreScratch } from "./scratch.ts";
import type { TokenHistory } from "./token-history.ts";

/** Whether choosing token `index` changes any score before the choice. */
export function adjusts(params: SamplingParams, index: number): boolean {
  return (
    params.logitBias.length > 0 ||
    params.repetitionPenalty !== 1 ||
    params.presencePenalty !== 0 ||
    params.frequencyPenalty !== 0 ||
    bansEnds(params, index)
  );
}

/**
 * Scores to choose from, [V]: bias, the ban on end tokens below `minTokens`, repetition penalty over prompt and output, then presence and
 * frequency penalties over the output. `logits` itself where nothing is adjusted, else a scratch row that lives until the next call.
 * Source: vLLM, v1/sample/sampler.py and model_executor/layers/utils.py (apply_penalties).
 */
export function adjust(
  logits: Float32Array,
  params: SamplingParams,
  history: TokenHistory,
  index: number,
): Float32Array {
  if (!adjusts(params, index)) return logits;
  const scores = scoreScratch(logits.length);
  scores.set(logits);
  // Ids beyond the vocabulary fall away: writes outside a typed array are ignored.
  for (const [id, bias] of params.logitBias) scores[id] = (scores[id] ?? 0) + bias;
  if (bansEnds(params, index)) for (const id of params.stopTokenIds) scores[id] = Number.NEGATIVE_INFINITY;
  if (params.repetitionPenalty !== 1) {
    for (const id of history.seen()) {
      const score = scores[id] ?? 0;
      scores[id] = score > 0 ? score / params.repetitionPenalty : score * params.repetitionPenalty;
    }
  }
  if (params.presencePenalty !== 0 || params.frequencyPenalty !== 0) {
    for (const [id, count] of history.output()) {
      scores[id] = (scores[id] ?? 0) - params.frequencyPenalty * count - params.presencePenalty;
    }
  }
  return scores;
}

function bansEnds(params: SamplingParams, index: number): boolean {
  return index < params.minTokens && params.stopTokenIds.length > 0;
}
