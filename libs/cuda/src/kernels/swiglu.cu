// out[row, i] = silu(s * gate) * (s * up), of [rows, 2 * width] with the gate's half first; s is the row's scale, or 1. Grid (width / 256 rounded up, rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) swiglu(const float *gateUp, const float *scales, float *out, int width) {
  awaitPrevious();
  const int i = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (i >= width) return;
  const float scale = scales ? scales[row] : 1.f;
  const float gate = scale * gateUp[(long long)row * 2 * width + i], up = scale * gateUp[(long long)row * 2 * width + width + i];
  out[(long long)row * width + i] = gate / (1.f + expf(-gate)) * up;
}
