/** Folds one part of attention into another, exactly: o = (e^la oa + e^lb ob) / (e^la + e^lb), per row and head. `oa` and `la` are updated. Source: LLAMA4 context parallelism, arXiv 2411.01783. */
export function mergePartials(
  oa: Float32Array,
  la: Float32Array,
  ob: Float32Array,
  lb: Float32Array,
  headDim: number,
): void {
  for (let i = 0; i < la.length; i++) {
    const a = la[i] as number;
    const b = lb[i] as number;
    const peak = Math.max(a, b);
    const wa = Math.exp(a - peak);
    const wb = Math.exp(b - peak);
    const total = wa + wb;
    la[i] = peak + Math.log(total);
    const fa = wa / total;
    const fb = wb / total;
    for (let j = i * headDim; j < (i + 1) * headDim; j++) oa[j] = (oa[j] as number) * fa + (ob[j] as number) * fb;
  }
}
