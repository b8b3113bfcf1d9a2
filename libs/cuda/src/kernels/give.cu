// Rows whose expert another worker holds. The first *live of the rows are routed; chosen [rows, stride] has their experts in a column, and a negative places[expert] says that
// an expert is not here. away[row] takes the expert of such a row and -1 of others; given[row], which may lie in a process's pinned memory, what the expert is to read:
// scales[row] * exact[row]. width is a multiple of 4. Grid (rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) give(const float *exact, const float *scales, const int *chosen, const int *live, const int *places, int *away, float *given, int width, int stride, int column) {
  awaitPrevious();
  const int row = blockIdx.x, expert = row < *live ? chosen[(long long)row * stride + column] : -1;
  const bool isAway = expert >= 0 && places[expert] < 0;
  if (threadIdx.x == 0) away[row] = isAway ? expert : -1;
  if (!isAway) return;
  const float scale = scales[row];
  for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) {
    float4 v = *(const float4 *)(exact + (long long)row * width + i);
    v.x *= scale, v.y *= scale, v.z *= scale, v.w *= scale;
    *(float4 *)(given + (long long)row * width + i) = v;
  }
}

// routed[row] = answers[row] of rows that were away, as give says them. Grid (rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) bring(const int *away, const float *answers, float *routed, int width) {
  awaitPrevious();
  if (away[blockIdx.x] < 0) return;
  const long long from = (long long)blockIdx.x * width;
  for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) *(float4 *)(routed + from + i) = *(const float4 *)(answers + from + i);
}
