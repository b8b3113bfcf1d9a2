import { at, type SamplingParams } from "@drover/core";
import { scoreScratch } from "./scratch.ts";
import type { LimitStep, NextToken, SampleInput, ScoreStep } from "./step.ts";
import { allowedTokenIds } from "./steps/allowed-token-ids.ts";
import { allowedTokens } from "./steps/allowed-tokens.ts";
import { bannedSequences } from "./steps/banned-sequences.ts";
import { draw } from "./steps/draw.ts";
import { logitBias } from "./steps/logit-bias.ts";
import { minP } from "./steps/min-p.ts";
import { minTokens } from "./steps/min-tokens.ts";
import { outputPenalties } from "./steps/output-penalties.ts";
import { repetitionPenalty } from "./steps/repetition-penalty.ts";
import { temperature } from "./steps/temperature.ts";
import { topK } from "./steps/top-k.ts";
import { topP } from "./steps/top-p.ts";

// The order is vLLM's: v1/worker/gpu_model_runner.py applies the grammar's mask, v1/sample/sampler.py all others.
const SCORE_STEPS: readonly ScoreStep[] = [
  allowedTokens,
  allowedTokenIds,
  minTokens,
  bannedSequences,
  logitBias,
  repetitionPenalty,
  outputPenalties,
];
const LIMIT_STEPS: readonly LimitStep[] = [minP, topK, topP];

/** Whether choosing a token takes the row's whole logits; plain greedy needs only the likeliest token. */
export function needsFullLogits(params: SamplingParams, index: number, allowed?: Uint32Array): boolean {
  const token = { params, index, allowed };
  return temperature.needed(token) || changesScores(token);
}

/**
 * Chooses one token: the score steps, then the likeliest at temperature 0 (the lowest id among equals), else the
 * limits, each among what the ones before it left, and one draw. A pure function of its input: whoever computes the
 * same logits chooses the same token.
 */
export function sampleToken(input: SampleInput): number {
  const { params } = input;
  const scores = scoresOf(input);
  const best = argMax(scores);
  if (!temperature.needed(input)) return best;
  const candidates = temperature.apply(scores, at(scores, best), params);
  for (const limit of LIMIT_STEPS) if (limit.needed(input)) limit.apply(candidates, params);
  return draw(candidates.weights(), input) ?? best;
}

function changesScores(token: NextToken): boolean {
  return SCORE_STEPS.some((step) => step.needed(token));
}

/**
 * The scores to choose from, [V]: the logits themselves where no step changes any, else a scratch row that lives until
 * the next call.
 */
function scoresOf(input: SampleInput): Float32Array {
  if (!changesScores(input)) return input.logits;
  const scores = scoreScratch(input.logits.length);
  scores.set(input.logits);
  for (const step of SCORE_STEPS) if (step.needed(input)) step.apply(scores, input);
  return scores;
}

/** The lowest id with the greatest score. */
function argMax(scores: Float32Array): number {
  let best = 0;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] ?? 0;
    if (score > greatest) {
      greatest = score;
      best = id;
    }
  }
  return best;
}
