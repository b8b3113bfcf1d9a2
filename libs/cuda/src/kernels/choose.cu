// What lies between attention and the experts of few rows, in one launch: h[row] = from[row] + added[row], x and exact its norm as norm.cu has them, the logits of router.cu, and what route.cuh
// makes of them. A row has a block for each expert, whose logit it computes from `from` itself, and one, the last, for the norm: h is not `from`. The block that ends last routes the rows.
// Rows are few enough that x is of ORDER 0. width is WIDTH, a multiple of 8. arrived is 0, and is so again. Grid (experts + 1, rows), 256 threads.
constexpr int EIGHTS = (WIDTH + 8 * 256 - 1) / (8 * 256);
static_assert(ORDER == 0, "few rows");
extern "C" __global__ void __launch_bounds__(256) choose(const float *from, const float *added, float *h, const float *weight, const STORED *router, Activation *x, float *exact, int *arrived, float *logits, const int *live, const int *places, int *chosen, float *scales, int *order, Job *jobs, int *jobCount, int expertCount, int stride, int column, int shared, int fold, int xStride, float epsilon) {
  letNextCome();
  __shared__ float room[8];
  const int expert = blockIdx.x, row = blockIdx.y;
  const long long at = (long long)row * WIDTH;
  const bool isNorm = expert == expertCount;
  float own[EIGHTS][8], weights[EIGHTS][8];
  // Weights do not depend on what was computed before.
#pragma unroll
  for (int n = 0; n < EIGHTS; n++) {
    const int i = 8 * (threadIdx.x + n * 256);
    if (i >= WIDTH) break;
    unpack16(weight + i, weights[n]), unpack16(weight + i + 4, weights[n] + 4);
    if (isNorm) continue;
    float numbers[8];
#pragma unroll
    for (int j = 0; j < 8; j += 16 / sizeof(STORED)) unpack16(router + (long long)expert * WIDTH + i + j, numbers + j);
#pragma unroll
    for (int j = 0; j < 8; j++) weights[n][j] *= numbers[j];
  }
  awaitPrevious();
  float squares = 0.f, sum = 0.f;
#pragma unroll
  for (int n = 0; n < EIGHTS; n++) {
    const int i = 8 * (threadIdx.x + n * 256);
    if (i >= WIDTH) break;
    float more[8];
    unpack16(from + at + i, own[n]), unpack16(from + at + i + 4, own[n] + 4);
    unpack16(added + at + i, more), unpack16(added + at + i + 4, more + 4);
#pragma unroll
    for (int j = 0; j < 8; j++) own[n][j] += more[j], squares += own[n][j] * own[n][j], sum += own[n][j] * weights[n][j];
  }
  const float scale = 1.f / sqrtf(blockSum(squares, room) / WIDTH + epsilon);
  if (isNorm) {
#pragma unroll
    for (int n = 0; n < EIGHTS; n++)
#pragma unroll
      for (int j = 0; j < 8; j += 4) {
        const int i = 8 * (threadIdx.x + n * 256) + j;
        if (i >= WIDTH) break;
        const float *v = own[n] + j, *w = weights[n] + j;
        const float4 norm = make_float4(w[0] * (v[0] * scale), w[1] * (v[1] * scale), w[2] * (v[2] * scale), w[3] * (v[3] * scale));
        *(float4 *)(h + at + i) = make_float4(v[0], v[1], v[2], v[3]);
        *(float4 *)(exact + at + i) = norm;
        putFour<>(x + row * rowSize(xStride), xStride, i, norm);
      }
  } else {
    sum = blockSum(sum, room);
    if (threadIdx.x == 0) logits[(long long)row * expertCount + expert] = scale * sum;
  }
  if (isLastBlock(arrived, gridDim.x * gridDim.y)) routeRows(logits, live, places, chosen, scales, order, jobs, jobCount, expertCount, stride, column, shared, fold);
}
