// h[row] = before[row] + a[row] + b[row] (either may be null; before may be h), and x[i] = weight * h[row] / rms(h[row]). rows names the row of each i; null: i itself.
// x is of activations; exact, where it is not null, the same in f32, and other, where it is not null, the same as activations of ORDER 0. width is WIDTH, a multiple of 4. Grid (rows), THREADS threads: each keeps its numbers.
constexpr int FOURS = (WIDTH + 4 * THREADS - 1) / (4 * THREADS);
extern "C" __global__ void __launch_bounds__(THREADS) normalize(const int *rows, const float *before, float *h, const float *a, const float *b, const float *weight, Activation *x, float *exact, Activation *other, int stride, float epsilon) {
  letNextCome();
  constexpr int width = WIDTH;
  __shared__ float room[32];
  float4 own[FOURS], weights[FOURS];
  // Weights do not depend on what was computed before.
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    const int i = 4 * (threadIdx.x + n * THREADS);
    if (i < width) weights[n] = *(const float4 *)(weight + i);
  }
  awaitPrevious();
  const long long from = (long long)(rows ? rows[blockIdx.x] : (int)blockIdx.x) * width;
  Activation *to = x + blockIdx.x * rowSize(stride);
  float sum = 0.f;
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    const int i = 4 * (threadIdx.x + n * THREADS);
    if (i >= width) break;
    float4 v = *(const float4 *)(before + from + i);
    if (a) {
      const float4 more = *(const float4 *)(a + from + i);
      v.x += more.x, v.y += more.y, v.z += more.z, v.w += more.w;
    }
    if (b) {
      const float4 more = *(const float4 *)(b + from + i);
      v.x += more.x, v.y += more.y, v.z += more.z, v.w += more.w;
    }
    if (a || b || before != h) *(float4 *)(h + from + i) = v;
    own[n] = v;
    sum += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  const float scale = 1.f / sqrtf(blockSum(sum, room) / width + epsilon);
#pragma unroll
  for (int n = 0; n < FOURS; n++) {
    const int i = 4 * (threadIdx.x + n * THREADS);
    if (i >= width) break;
    const float4 w = weights[n];
    const float4 v = make_float4(w.x * (own[n].x * scale), w.y * (own[n].y * scale), w.z * (own[n].z * scale), w.w * (own[n].w * scale));
    putFour<>(to, stride, i, v);
    if (other) putFour<0>(other + blockIdx.x * rowSize(stride), stride, i, v);
    if (exact) *(float4 *)(exact + (long long)blockIdx.x * width + i) = v;
  }
}
