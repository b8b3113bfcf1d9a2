/** A row's tokens with their shares before normalization. */
export type Weighted = Readonly<{
  /** [V] */
  scores: Float32Array;
  /** The greatest score. */
  best: number;
  temperature: number;
  /** e^((score - best) / temperature), [V]; 0 for tokens that are left out. */
  weights: Float64Array;
}>;

/** Weighs every token; those of a weight below e^exponentLeast get 0. Writes `weights`, [V]. */
export function weigh(
  scores: Float32Array,
  best: number,
  temperature: number,
  exponentLeast: number,
  weights: Float64Array,
): Weighted {
  for (let id = 0; id < scores.length; id++) {
    const exponent = ((scores[id] ?? 0) - best) / temperature;
    weights[id] = exponent >= exponentLeast ? Math.exp(exponent) : 0;
  }
  return { scores, best, temperature, weights };
}
