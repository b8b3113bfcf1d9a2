import { uniform } from "../random.ts";
import type { SampleInput } from "../step.ts";

/**
 * Draws one token by its weight, [V]; undefined when no token weighs anything. The draw is of seed, choice and index
 * alone.
 */
export function draw(weights: Float64Array, { params, choice, index }: SampleInput): number | undefined {
  return tokenAt(weights, uniform(params.seed, choice, index));
}

/** The token at a share in [0, 1) of the weights' sum, by rising id; undefined when no token weighs anything. */
export function tokenAt(weights: Float64Array, share: number): number | undefined {
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
