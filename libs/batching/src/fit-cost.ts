import { at } from "@drover/core";
import { COST_TERMS, type CostTerms, costOf, termsOf } from "./cost-terms.ts";

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
export function fitCost(samples: readonly CostSample[], prior: CostTerms): CostTerms {
  if (samples.length === 0) return prior;
  const ratios = samples.map(({ terms, ms }) => ms / costOf(terms, prior)).sort((a, b) => a - b);
  const scale = at(ratios, Math.floor(ratios.length / 2));
  const anchor = termsOf((term) => prior[term] * scale);
  let fitted = anchor;
  for (let round = 0; round < ROUNDS; round++) {
    const weighted = samples.map(({ terms, ms }) => {
      const excess = ms / costOf(terms, fitted);
      return { terms, ms, weight: (excess > 1.25 ? 1.25 / excess : 1) ** 2 / ms ** 2 };
    });
    fitted = descend(weighted, anchor, fitted);
  }
  return fitted;
}

type WeightedSample = CostSample & Readonly<{ weight: number }>;

/** What a sweep needs of one term: its row of the Gram matrix, whole, and as numbers of their own, since sweeps are many. */
type Equation = Readonly<{ term: keyof CostTerms; row: CostTerms; own: number; right: number; ridge: number }>;

function descend(samples: readonly WeightedSample[], anchor: CostTerms, start: CostTerms): CostTerms {
  const equations = normalEquations(samples, anchor);
  const out = { ...start };
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let isChanged = false;
    for (const { term, row, own, right, ridge } of equations) {
      const before = out[term];
      const residual = right - costOf(row, out) + own * before;
      const better = Math.max(0, (residual + ridge * anchor[term]) / (own + ridge));
      out[term] = better;
      isChanged ||= better !== before;
    }
    // Whatever follows would change nothing either.
    if (!isChanged) break;
  }
  return out;
}

/** For each term that counts. */
function normalEquations(samples: readonly WeightedSample[], anchor: CostTerms): readonly Equation[] {
  const product = (a: keyof CostTerms, b: keyof CostTerms) =>
    samples.reduce((sum, { terms, weight }) => sum + weight * terms[a] * terms[b], 0);
  return COST_TERMS.filter((term) => anchor[term] !== 0).map((term) => ({
    term,
    row: termsOf((other) => product(term, other)),
    own: product(term, term),
    right: samples.reduce((sum, { terms, weight, ms }) => sum + weight * terms[term] * ms, 0),
    ridge: PRIOR_WEIGHT / anchor[term] ** 2,
  }));
}
