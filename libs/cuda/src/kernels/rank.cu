// Of each row's logits [rows, count]: the topCount greatest, best first, of equal ones the smaller id first; the logarithm of the sum of their exponentials; and the logit that
// asked[row] names. First each of PARTS parts by itself, then the parts together. Better than all means: none was taken yet.
struct Mark {
  float top, sum;
};

// Blocks of whole warps: the best of all threads' bests.
__device__ __forceinline__ Best blockBest(Best best, Best *room) {
  best = warpBest(best);
  __syncthreads();
  if ((threadIdx.x & 31) == 0) room[threadIdx.x >> 5] = best;
  __syncthreads();
  best = room[0];
  for (int w = 1; w < (int)blockDim.x / 32; w++)
    if (isBetter(room[w], best)) best = room[w];
  return best;
}

// candidates [rows, PARTS, topCount], marks [rows, PARTS]. Grid (PARTS, rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) rankParts(const float *logits, Best *candidates, Mark *marks, int count, int topCount) {
  awaitPrevious();
  __shared__ float sums[8];
  __shared__ Best room[8];
  const int part = blockIdx.x, row = blockIdx.y, size = (count + PARTS - 1) / PARTS;
  const int from = part * size, to = from + size < count ? from + size : count;
  const float *own = logits + (long long)row * count;
  Best last = {-NONE, -1};
  for (int k = 0; k < topCount; k++) {
    Best best = {NONE, 0x7fffffff};
    for (int i = from + threadIdx.x; i < to; i += blockDim.x) {
      const Best next = {own[i], i};
      if (isBetter(last, next) && isBetter(next, best)) best = next;
    }
    last = blockBest(best, room);
    if (threadIdx.x == 0) candidates[((long long)row * PARTS + part) * topCount + k] = last;
    if (k > 0) continue;
    float sum = 0.f;
    for (int i = from + threadIdx.x; i < to; i += blockDim.x) sum += expf(own[i] - last.value);
    sum = blockSum(sum, sums);
    if (threadIdx.x == 0) marks[(long long)row * PARTS + part] = Mark{last.value, sum};
  }
}

// Grid (rows), 128 threads.
extern "C" __global__ void __launch_bounds__(128) rank(const float *logits, const Best *candidates, const Mark *marks, const int *asked, int *ids, float *values, float *lse, float *askedValues, int count, int topCount) {
  awaitPrevious();
  __shared__ float sums[4];
  __shared__ Best room[4];
  const int row = blockIdx.x;
  const Best *own = candidates + (long long)row * PARTS * topCount;
  Best last = {-NONE, -1};
  for (int k = 0; k < topCount; k++) {
    Best best = {NONE, 0x7fffffff};
    for (int i = threadIdx.x; i < PARTS * topCount; i += blockDim.x)
      if (isBetter(last, own[i]) && isBetter(own[i], best)) best = own[i];
    last = blockBest(best, room);
    if (threadIdx.x == 0) {
      ids[(long long)row * topCount + k] = last.index;
      values[(long long)row * topCount + k] = last.value;
    }
    if (k > 0) continue;
    float sum = 0.f;
    for (int part = threadIdx.x; part < PARTS; part += blockDim.x) {
      const Mark mark = marks[(long long)row * PARTS + part];
      sum += mark.sum * expf(mark.top - last.value);
    }
    sum = blockSum(sum, sums);
    if (threadIdx.x == 0) {
      lse[row] = last.value + logf(sum);
      askedValues[row] = logits[(long long)row * count + asked[row]];
    }
  }
}
