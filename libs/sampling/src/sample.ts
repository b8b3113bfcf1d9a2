import type { SamplingParams } from "@drover/core";
import { adjust, adjusts } from "./adjust.ts";
import { draw } from "./random.ts";
import { type Cut, Ranking } from "./ranking.ts";
import { weightScratch } from "./scratch.ts";
import type { TokenHistory } from "./token-history.ts";
import { type Weighted, weigh } from "./weighted.ts";

/** Whether choosing token `index` takes the row's whole logits; plain greedy needs only the likeliest token. */
export function needsFullLogits(params: SamplingParams, index: number): boolean {
  return params.temperature > 0 || adjusts(params, index);
}

export type SampleInput = Readonly<{
  /** One row, [V], raw; not modified. */
  logits: Float32Array;
  params: SamplingParams;
  history: TokenHistory;
  choice: number;
  /** Position in the choice's output. */
  index: number;
}>;

/**
 * Chooses one token: bias, bans and penalties, then temperature, min-p, top-k and top-p in this order, then one draw. Each limit counts
 * among what the ones before it left. Greedy takes the lowest id among equals. Source: vLLM, v1/sample/sampler.py.
 */
export function sampleToken({ logits, params, history, choice, index }: SampleInput): number {
  const scores = adjust(logits, params, history, index);
  const best = argMax(scores);
  if (params.temperature === 0) return best;
  const { temperature, minP } = params;
  const tokens = weigh(scores, scores[best] ?? 0, temperature, minP, weightScratch(scores.length));
  const cut = cutOf(tokens, params);
  if (cut !== undefined) dropBelow(tokens, cut);
  return pick(tokens.weights, draw(params.seed, choice, index)) ?? best;
}

/** Where top-k and top-p end the ranking; undefined when they keep every token. */
function cutOf(tokens: Weighted, { topK, topP }: SamplingParams): Cut | undefined {
  if (topK === 0 && topP >= 1) return undefined;
  const ranking = new Ranking(tokens);
  const byCount = topK > 0 ? ranking.first(topK) : undefined;
  if (topP >= 1) return byCount?.cut;
  const goal = topP * (byCount?.weight ?? ranking.totalWeight);
  return ranking.firstWeighing(goal)?.cut ?? byCount?.cut;
}

/** Leaves out every token that ranks after the cut. */
function dropBelow({ scores, weights }: Weighted, cut: Cut): void {
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] ?? 0;
    if (score < cut.score || (score === cut.score && id > cut.id)) weights[id] = 0;
  }
}

/** The token at a share in [0, 1) of the weights' sum, by rising id; undefined when no token weighs anything. */
function pick(weights: Float64Array, share: number): number | undefined {
  let total = 0;
  for (let id = 0; id < weights.length; id++) total += weights[id] ?? 0;
  let left = share * total;
  let last: number | undefined;
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id] ?? 0;
    if (weight === 0) continue;
    last = id;
    left -= weight;
    if (left < 0) return id;
  }
  // Subtracting may round to just above zero at the very end.
  return last;
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
