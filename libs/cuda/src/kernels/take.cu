// x[i] = z[i] as activations (prelude.cuh), of rows of f32 that may lie in a process's pinned memory. width is a multiple of 4. Grid (rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) take(const float *z, Activation *x, int width, int stride) {
  awaitPrevious();
  const float *from = z + (long long)blockIdx.x * width;
  Activation *to = x + blockIdx.x * rowSize(stride);
  for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) putFour<>(to, stride, i, *(const float4 *)(from + i));
}
