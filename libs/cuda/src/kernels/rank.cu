// Of each row's logits [rows, count]: the topCount greatest, best first, of equal ones the smaller id first; the logarithm of the sum of their exponentials; and the logit that
// asked[row] names. Grid (rows), 1024 threads.
extern "C" __global__ void __launch_bounds__(1024) rank(const float *logits, const int *asked, int *ids, float *values, float *lse, float *askedValues, int count, int topCount) {
  __shared__ float room[32];
  __shared__ Best bests[32];
  __shared__ Best last;
  const int row = blockIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const float *from = logits + (long long)row * count;
  for (int k = 0; k < topCount; k++) {
    Best best = {NONE, 0x7fffffff};
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
      const Best next = {from[i], i};
      if ((k == 0 || isBetter(last, next)) && isBetter(next, best)) best = next;
    }
    best = warpBest(best);
    __syncthreads();
    if (lane == 0) bests[warp] = best;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int w = 1; w < (int)blockDim.x / 32; w++)
        if (isBetter(bests[w], best)) best = bests[w];
      last = best;
      ids[(long long)row * topCount + k] = best.index;
      values[(long long)row * topCount + k] = best.value;
    }
    __syncthreads();
    if (k == 0) {
      const float top = last.value;
      float sum = 0.f;
      for (int i = threadIdx.x; i < count; i += blockDim.x) sum += expf(from[i] - top);
      sum = blockSum(sum, room);
      if (threadIdx.x == 0) {
        lse[row] = top + logf(sum);
        askedValues[row] = from[asked[row]];
      }
    }
  }
}
