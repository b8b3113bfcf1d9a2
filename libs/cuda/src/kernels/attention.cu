// Attention of rows over the pages of their sequences, in parts of the positions that each sees, [firsts[row], positions[row]]: a part's sum of values, not yet divided,
// its greatest score and its sum of weights. How a row's positions are cut depends on their number alone, so that a result does not depend on the rows beside it.
// The page of position p is table[starts[row] + p / PAGE_ROWS] + layer. A row whose position is negative sees nothing.
// o [rows, KV_HEADS * GROUP, parts, HEAD], ml [rows, KV_HEADS * GROUP, parts]. Grid (parts, KV_HEADS, rows), 128 threads: each warp takes every fourth run of 32
// positions; a lane scores one position, and then sums a part of the head.
constexpr int WARPS = 4, RUN = 32, PARTS_MAX = 64, PART_ROWS_MIN = 64;
constexpr int ELEMENTS = 16 / sizeof(KV), SUMS = (HEAD + 31) / 32;

__device__ __forceinline__ int partRows(int count) {
  const int rows = (count + PARTS_MAX - 1) / PARTS_MAX;
  return rows <= PART_ROWS_MIN ? PART_ROWS_MIN : (rows + PART_ROWS_MIN - 1) / PART_ROWS_MIN * PART_ROWS_MIN;
}

extern "C" __global__ void __launch_bounds__(128) attend(const float *q, const KV *pages, const int *table, const int *starts, const int *firsts, const int *positions, float *o, float2 *ml, int layer, float scale) {
  const int part = blockIdx.x, kv = blockIdx.y, row = blockIdx.z, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int first = firsts[row], count = positions[row] - first + 1, rows = partRows(count);
  const int from = first + part * rows, to = from + rows < first + count ? from + rows : first + count;
  if (positions[row] < 0 || from >= to) return;
  __shared__ float queries[GROUP][HEAD];
  __shared__ float sums[WARPS][GROUP][HEAD];
  __shared__ float2 marks[WARPS][GROUP];
  __shared__ float weights[WARPS][RUN][GROUP];
  __shared__ long long places[WARPS][RUN];
  const float *ask = q + ((long long)row * KV_HEADS + kv) * GROUP * HEAD;
  for (int i = threadIdx.x; i < GROUP * HEAD; i += blockDim.x) queries[i / HEAD][i % HEAD] = ask[i] * scale;
  __syncthreads();
  float top[GROUP], weight[GROUP], acc[GROUP][SUMS];
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    top[g] = NONE, weight[g] = 0.f;
#pragma unroll
    for (int i = 0; i < SUMS; i++) acc[g][i] = 0.f;
  }
  for (int run = from + warp * RUN; run < to; run += WARPS * RUN) {
    const int position = run + lane < to ? run + lane : to - 1;
    const long long page = table[starts[row] + position / PAGE_ROWS] + layer;
    const long long key = ((page * 2 * PAGE_ROWS + position % PAGE_ROWS) * KV_HEADS + kv) * HEAD;
    float score[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) score[g] = 0.f;
    for (int at = 0; at < HEAD; at += ELEMENTS) {
      float k[ELEMENTS];
      unpack16(pages + key + at, k);
#pragma unroll
      for (int g = 0; g < GROUP; g++)
#pragma unroll
        for (int i = 0; i < ELEMENTS; i++) score[g] += queries[g][at + i] * k[i];
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      if (run + lane >= to) score[g] = NONE;
      const float best = warpMax(score[g]), next = best > top[g] ? best : top[g], fade = expf(top[g] - next);
      top[g] = next;
      score[g] = run + lane < to ? expf(score[g] - next) : 0.f;
      weight[g] = weight[g] * fade + warpSum(score[g]);
#pragma unroll
      for (int i = 0; i < SUMS; i++) acc[g][i] *= fade;
      weights[warp][lane][g] = score[g];
    }
    places[warp][lane] = key + (long long)PAGE_ROWS * KV_HEADS * HEAD;
    __syncwarp();
    for (int j = 0; j < RUN && run + j < to; j++) {
      const long long at = places[warp][j];
      float v[SUMS];
#pragma unroll
      for (int i = 0; i < SUMS; i++) v[i] = lane + 32 * i < HEAD ? value(pages[at + lane + 32 * i]) : 0.f;
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        const float w = weights[warp][j][g];
#pragma unroll
        for (int i = 0; i < SUMS; i++) acc[g][i] += w * v[i];
      }
    }
    __syncwarp();
  }
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
#pragma unroll
    for (int i = 0; i < SUMS; i++)
      if (lane + 32 * i < HEAD) sums[warp][g][lane + 32 * i] = acc[g][i];
    if (lane == 0) marks[warp][g] = make_float2(top[g], weight[g]);
  }
  __syncthreads();
  const long long out = ((long long)row * KV_HEADS + kv) * GROUP * gridDim.x + part;
  for (int i = threadIdx.x; i < GROUP * HEAD; i += blockDim.x) {
    const int g = i / HEAD, d = i % HEAD;
    float best = NONE, sum = 0.f, all = 0.f;
    for (int w = 0; w < WARPS; w++) best = marks[w][g].x > best ? marks[w][g].x : best;
    for (int w = 0; w < WARPS; w++) {
      const float share = expf(marks[w][g].x - best);
      sum += sums[w][g][d] * share;
      all += marks[w][g].y * share;
    }
    o[(out + (long long)g * gridDim.x) * HEAD + d] = sum;
    if (d == 0) ml[out + (long long)g * gridDim.x] = make_float2(best, all);
  }
}

// Brings a row's parts together: y [rows, heads * HEAD], and where lse is not null the logarithm of the sum of weights, [rows, heads]. Grid (heads, rows), HEAD threads.
extern "C" __global__ void merge(const float *o, const float2 *ml, const int *firsts, const int *positions, ACTIVATION *y, float *lse, int parts) {
  const int row = blockIdx.y, count = positions[row] - firsts[row] + 1, rows = partRows(count);
  const int used = positions[row] < 0 ? 0 : (count + rows - 1) / rows;
  const long long head = (long long)row * gridDim.x + blockIdx.x, from = head * parts;
  float best = NONE, sum = 0.f, all = 0.f;
  for (int i = 0; i < used; i++) best = ml[from + i].x > best ? ml[from + i].x : best;
  for (int i = 0; i < used; i++) {
    const float share = expf(ml[from + i].x - best);
    sum += o[(from + i) * HEAD + threadIdx.x] * share;
    all += ml[from + i].y * share;
  }
  put(y + head * HEAD + threadIdx.x, used > 0 ? sum / all : 0.f);
  if (lse && threadIdx.x == 0) lse[head] = used > 0 ? best + logf(all) : NONE;
}
