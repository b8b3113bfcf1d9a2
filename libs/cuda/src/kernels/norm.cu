// h[row] += a[row] + b[row] (either may be null), and x[i] = weight * h[row] / rms(h[row]). rows names the row of each i; null: i itself.
// x is ACTIVATION; exact, where it is not null, the same in f32. Grid (rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) normalize(const int *rows, float *h, const float *a, const float *b, const float *weight, ACTIVATION *x, float *exact, int width, float epsilon) {
  __shared__ float room[8];
  const long long from = (long long)(rows ? rows[blockIdx.x] : (int)blockIdx.x) * width;
  const long long to = (long long)blockIdx.x * width;
  float sum = 0.f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = h[from + i];
    if (a) v += a[from + i];
    if (b) v += b[from + i];
    if (a || b) h[from + i] = v;
    sum += v * v;
  }
  const float scale = 1.f / sqrtf(blockSum(sum, room) / width + epsilon);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    const float v = weight[i] * (h[from + i] * scale);
    put(x + to + i, v);
    if (exact) exact[to + i] = v;
  }
}
