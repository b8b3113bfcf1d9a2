import { type CostTerms, dot } from "./cost-terms.ts";

/** One measured step. */
export type CostSample = Readonly<{ terms: CostTerms; ms: number }>;

const ROUNDS = 4;
const SWEEPS = 300;
/** How much the prior counts, in samples in which a term is half of the time. */
const PRIOR_WEIGHT = 0.02;

/**
 * Coefficients, none negative, that predict the samples with the least relative error, by coordinate descent on weighted least squares.
 * Where the samples say nothing of a term, or of how two of them share, the prior's proportions decide. A sample that took far longer than
 * the others suggest (a stalled expert, a busy machine) counts less and less in each round.
 */
export function fitCost(samples: readonly CostSample[], prior: readonly number[]): number[] {
  if (samples.length === 0) return [...prior];
  const ratios = samples.map(({ terms, ms }) => ms / dot(terms, prior)).sort((a, b) => a - b);
  const scale = ratios[Math.floor(ratios.length / 2)] ?? 1;
  const anchor = prior.map((value) => value * scale);
  let fitted = anchor;
  for (let round = 0; round < ROUNDS; round++) {
    const weights = samples.map(({ terms, ms }) => {
      const excess = ms / dot(terms, fitted);
      return (excess > 1.25 ? 1.25 / excess : 1) ** 2 / ms ** 2;
    });
    fitted = descend(samples, weights, anchor, fitted);
  }
  return fitted;
}

function descend(
  samples: readonly CostSample[],
  weights: readonly number[],
  anchor: readonly number[],
  start: readonly number[],
): number[] {
  const count = anchor.length;
  const gram = Array.from({ length: count }, () => new Float64Array(count));
  const right = new Float64Array(count);
  for (const [s, { terms, ms }] of samples.entries()) {
    const weight = weights[s] ?? 0;
    for (let i = 0; i < count; i++) {
      const weighted = weight * (terms[i] ?? 0);
      right[i] = (right[i] ?? 0) + weighted * ms;
      const row = gram[i];
      if (row !== undefined) for (let j = 0; j < count; j++) row[j] = (row[j] ?? 0) + weighted * (terms[j] ?? 0);
    }
  }
  const out = [...start];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let i = 0; i < count; i++) {
      const row = gram[i];
      const anchored = anchor[i] ?? 0;
      if (row === undefined || anchored === 0) continue;
      const ridge = PRIOR_WEIGHT / anchored ** 2;
      const residual = (right[i] ?? 0) - dot([...row], out) + (row[i] ?? 0) * (out[i] ?? 0);
      out[i] = Math.max(0, (residual + ridge * anchored) / ((row[i] ?? 0) + ridge));
    }
  }
  return out;
}
