// x = y + bias (which may be null), as activations; BEND: through GELU with the error function. width is a multiple of 4. Grid (width / 1024 rounded up, rows), 256 threads.
__device__ __forceinline__ float bent(float v) {
#if BEND
  return 0.5f * v * (1.f + erff(v * 0.70710678118654752f));
#else
  return v;
#endif
}
extern "C" __global__ void __launch_bounds__(256) bend(const float *y, const float *bias, Activation *x, int width, int stride) {
  awaitPrevious();
  const int i = 4 * (blockIdx.x * 256 + threadIdx.x);
  if (i >= width) return;
  float4 v = *(const float4 *)(y + (long long)blockIdx.y * width + i);
  if (bias) {
    const float4 more = *(const float4 *)(bias + i);
    v.x += more.x, v.y += more.y, v.z += more.z, v.w += more.w;
  }
  putFour<>(x + blockIdx.y * rowSize(stride), stride, i, make_float4(bent(v.x), bent(v.y), bent(v.z), bent(v.w)));
}
