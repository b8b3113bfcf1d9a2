import type { SamplingParams } from "@drover/core";
import { draw } from "./random.ts";
import type { TokenHistory } from "./token-history.ts";

/** Whether choosing token `index` takes the row's whole logits; plain greedy needs only the likeliest token. */
export function needsFullLogits(params: SamplingParams, index: number): boolean {
  return (
    params.temperature > 0 ||
    params.logitBias.length > 0 ||
    params.repetitionPenalty !== 1 ||
    params.presencePenalty !== 0 ||
    params.frequencyPenalty !== 0 ||
    index < params.minTokens
  );
}

export type SampleInput = Readonly<{
  /** One row, [V], raw; not modified. */
  logits: Float32Array;
  params: SamplingParams;
  history: TokenHistory;
  choice: number;
  index: number;
}>;

/**
 * Chooses one token: bias, bans, penalties, then temperature, top-k, top-p and min-p in vLLM's order. Greedy takes the lowest id among
 * equals. Source: vLLM v1/sample/sampler.py and ops/penalties.py for the definitions.
 */
export function sampleToken({ logits, params, history, choice, index }: SampleInput): number {
  const scores = adjusted(logits, params, history, index);
  if (params.temperature === 0) return argMax(scores);
  const candidates = truncated(scores, params);
  let total = 0;
  for (const { weight } of candidates) total += weight;
  let left = draw(params.seed, choice, index) * total;
  for (const { id, weight } of candidates) {
    left -= weight;
    if (left < 0) return id;
  }
  return candidates.at(-1)?.id ?? argMax(scores);
}

function adjusted(logits: Float32Array, params: SamplingParams, history: TokenHistory, index: number): Float32Array {
  const scores = logits.slice();
  for (const [id, bias] of params.logitBias) if (id < scores.length) scores[id] = (scores[id] ?? 0) + bias;
  if (index < params.minTokens) for (const id of params.stopTokenIds) scores[id] = Number.NEGATIVE_INFINITY;
  if (params.repetitionPenalty !== 1) {
    for (const id of history.seen()) {
      const score = scores[id] ?? 0;
      scores[id] = score > 0 ? score / params.repetitionPenalty : score * params.repetitionPenalty;
    }
  }
  if (params.presencePenalty !== 0 || params.frequencyPenalty !== 0) {
    for (const [id, count] of history.output()) {
      scores[id] = (scores[id] ?? 0) - params.presencePenalty - params.frequencyPenalty * count;
    }
  }
  return scores;
}

type Weighted = { id: number; weight: number };

/** The tokens that may be drawn, likeliest first where that matters, with weights exp((score - best) / temperature). */
function truncated(scores: Float32Array, params: SamplingParams): Weighted[] {
  const best = scores[argMax(scores)] ?? 0;
  const least = params.minP > 0 ? Math.log(params.minP) : Number.NEGATIVE_INFINITY;
  let candidates: Weighted[] = [];
  for (let id = 0; id < scores.length; id++) {
    const exponent = ((scores[id] ?? 0) - best) / params.temperature;
    // Below e^-80 a token's share is under 1e-34: no draw of 53 bits reaches it.
    if (exponent >= least && exponent > -80) candidates.push({ id, weight: Math.exp(exponent) });
  }
  if (params.topK === 0 && params.topP === 1) return candidates;
  candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
  if (params.topK > 0) candidates = candidates.slice(0, params.topK);
  if (params.topP < 1) {
    const goal = params.topP * candidates.reduce((sum, { weight }) => sum + weight, 0);
    let sum = 0;
    const end = candidates.findIndex(({ weight }) => {
      sum += weight;
      return sum >= goal;
    });
    candidates = candidates.slice(0, end < 0 ? candidates.length : end + 1);
  }
  return candidates;
}

/** The lowest id with the greatest score. */
export function argMax(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if ((scores[id] ?? 0) > (scores[best] ?? 0)) best = id;
  return best;
}
