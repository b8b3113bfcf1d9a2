/**
 * For each output sample of one axis: its first source sample, and its weights at `starts[i]` up to `starts[i + 1]`, in units of 2^-bits.
 */
export type TriangleTaps = Readonly<{ firsts: Int32Array; starts: Int32Array; weights: Int32Array; bits: number }>;

/** What torch's kernel holds a weight in, and the most bits behind the point that it gives one. */
const WEIGHT_LIMIT = 2 ** 15;
const BITS_MAX = 22;

/**
 * The triangle filter's taps for `from` source samples and `to` output ones: half-width max(scale, 1) source samples around
 * (i + 0.5) * scale, normalised over the samples that there are, rounded to the most bits with which the greatest fits in 16.
 * Source: `upsample_generic_Nd_aa` of PyTorch for uint8. The rounding is part of the reference: it decides ties.
 */
export function triangleTaps(from: number, to: number): TriangleTaps {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const firsts = new Int32Array(to);
  const starts = new Int32Array(to + 1);
  const exact = new Float64Array(to * (Math.ceil(support) * 2 + 1));
  let greatest = 0;
  let end = 0;
  for (let index = 0; index < to; index++) {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.floor(center - support + 0.5), 0);
    const last = Math.min(Math.floor(center + support + 0.5), from);
    const start = end;
    let total = 0;
    for (let sample = first; sample < last; sample++) {
      const weight = Math.max(1 - Math.abs((sample - center + 0.5) / support), 0);
      exact[end++] = weight;
      total += weight;
    }
    for (let tap = start; tap < end; tap++) {
      const weight = (exact[tap] ?? 0) / total;
      exact[tap] = weight;
      greatest = Math.max(greatest, weight);
    }
    firsts[index] = first;
    starts[index + 1] = end;
  }
  const bits = bitsFor(greatest);
  return {
    firsts,
    starts,
    weights: Int32Array.from(exact.subarray(0, end), (weight) => rounded(weight * 2 ** bits)),
    bits,
  };
}

function bitsFor(greatest: number): number {
  let bits = 0;
  while (bits < BITS_MAX && rounded(greatest * 2 ** (bits + 1)) < WEIGHT_LIMIT) bits += 1;
  return bits;
}

const rounded = (positive: number) => Math.trunc(positive + 0.5);
