// logits[row, e] = x[row] . w[e], both f32 [., width], w of the type STORED; sums in one order. Grid (experts, rows / ROWS rounded up), at most 256 threads, whole warps.
// width is a multiple of 8.
constexpr int ROWS = 4;
extern "C" __global__ void __launch_bounds__(256) router(const float *x, const STORED *w, float *logits, int rowCount, int width) {
  letNextCome();
  __shared__ float room[ROWS][8];
  const int expert = blockIdx.x, first = blockIdx.y * ROWS;
  const STORED *own = w + (long long)expert * width;
  for (int i = 8 * threadIdx.x; i < width; i += 8 * (int)blockDim.x) toCache(own + i);
  awaitPrevious();
  float sums[ROWS] = {};
  for (int i = 8 * threadIdx.x; i < width; i += 8 * (int)blockDim.x) {
    float v[8];
#pragma unroll
    for (int j = 0; j < 8; j += 16 / sizeof(STORED)) unpack16(own + i + j, v + j);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const float *row = x + (long long)(first + r < rowCount ? first + r : rowCount - 1) * width + i;
      const float4 a = *(const float4 *)row, b = *(const float4 *)(row + 4);
      sums[r] += v[0] * a.x + v[1] * a.y + v[2] * a.z + v[3] * a.w + v[4] * b.x + v[5] * b.y + v[6] * b.z + v[7] * b.w;
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const float sum = warpSum(sums[r]);
    if ((threadIdx.x & 31) == 0) room[r][threadIdx.x >> 5] = sum;
  }
  __syncthreads();
  const int row = first + threadIdx.x;
  if (threadIdx.x >= ROWS || row >= rowCount) return;
  float sum = 0.f;
  for (int warp = 0; warp < (int)blockDim.x / 32; warp++) sum += room[threadIdx.x][warp];
  logits[(long long)row * gridDim.x + expert] = sum;
}
