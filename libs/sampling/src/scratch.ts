/**
 * Rows of the vocabulary's size that are reused from call to call: 200,000 tokens are 2.4 MB, too much to allocate for
 * every token. A call is synchronous and keeps nothing, so none sees another's.
 */
let scores = new Float32Array(0);
let weights = new Float64Array(0);

/** A row for adjusted scores, [V], with whatever was in it. */
export function scoreScratch(size: number): Float32Array {
  if (scores.length < size) scores = new Float32Array(size);
  return scores.subarray(0, size);
}

/** A row for weights, [V], with whatever was in it. */
export function weightScratch(size: number): Float64Array {
  if (weights.length < size) weights = new Float64Array(size);
  return weights.subarray(0, size);
}
