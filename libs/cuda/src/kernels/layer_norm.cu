// h[row] = h[row] + a[row] + aBias (a may be null: h stays), and of it (v - mean) / sqrt(variance + epsilon) * weight + bias: to x as activations, or, where x is null, back to h.
// SHUFFLE > 0: rows are GRID * GRID patches and the class of each tile; the class's gets no norm, and SHUFFLE * SHUFFLE neighbouring patches become one row of x, row by row of their square.
// width is WIDTH, a multiple of 4. Grid (rows), THREADS threads: each keeps its numbers.
constexpr int FOURS = (WIDTH + 4 * THREADS - 1) / (4 * THREADS);
extern "C" __global__ void __launch_bounds__(THREADS) layerNorm(float *h, const float *a, const float *aBias, const float *weight, const float *bias, Activation *x, int stride, float epsilon) {
  awaitPrevious();
  __shared__ float room[32];
  float4 own[FOURS];
  float *from = h + (long long)blockIdx.x * WIDTH;
  float sum = 0.f;
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    const int i = 4 * (threadIdx.x + n * THREADS);
    if (i >= WIDTH) break;
    float4 v = *(const float4 *)(from + i);
    if (a) {
      const float4 more = *(const float4 *)(a + (long long)blockIdx.x * WIDTH + i), constant = *(const float4 *)(aBias + i);
      v.x += more.x + constant.x, v.y += more.y + constant.y, v.z += more.z + constant.z, v.w += more.w + constant.w;
      *(float4 *)(from + i) = v;
    }
    own[n] = v;
    sum += v.x + v.y + v.z + v.w;
  }
  const float mean = blockSum(sum, room) / WIDTH;
  float squares = 0.f;
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    if (4 * (int)(threadIdx.x + n * THREADS) >= WIDTH) break;
    float4 &v = own[n];
    v.x -= mean, v.y -= mean, v.z -= mean, v.w -= mean;
    squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  const float scale = 1.f / sqrtf(blockSum(squares, room) / WIDTH + epsilon);
  long long row = blockIdx.x;
  int column = 0;
#if SHUFFLE > 0
  constexpr int PATCHES = GRID * GRID, SQUARES = GRID / SHUFFLE;
  const int tile = blockIdx.x / (PATCHES + 1), patch = blockIdx.x % (PATCHES + 1), py = patch / GRID, px = patch % GRID;
  if (patch == PATCHES) return;
  row = (long long)tile * SQUARES * SQUARES + py / SHUFFLE * SQUARES + px / SHUFFLE;
  column = (py % SHUFFLE * SHUFFLE + px % SHUFFLE) * WIDTH;
#endif
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    const int i = 4 * (threadIdx.x + n * THREADS);
    if (i >= WIDTH) break;
    const float4 w = *(const float4 *)(weight + i), b = *(const float4 *)(bias + i), v = own[n];
    const float4 out = make_float4(v.x * scale * w.x + b.x, v.y * scale * w.y + b.y, v.z * scale * w.z + b.z, v.w * scale * w.w + b.w);
    if (x) putFour<>(x + row * rowSize(stride), stride, column + i, out);
    else *(float4 *)(from + i) = out;
  }
}
