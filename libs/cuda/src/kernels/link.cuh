// Memory that two processes of this host have together, as cards read and write it: past their caches, and in the order in which it is written.
struct Link {
  // Calls that were asked for, counted.
  u32 *asked;
  // Four words: calls that were answered; whether the last was refused; whether the other side is gone, or was waited for too long.
  u32 *answered;
  // Place of the layer among those with experts, rows of the step, and each row's expert, or -1.
  int *head;
  // Rows, and their answers, [LINK_ROWS, width].
  float *z;
  const float *y;
};
constexpr int LINK_ROWS = 256, LINKS = 8, HEAD_LIST = 2;

// What was written before is there before what is written next, for whoever reads this memory.
__device__ __forceinline__ void fenceHost() {
#ifndef CPU_CARD
  __threadfence_system();
#endif
}
__device__ __forceinline__ uint4 hostWords(const void *at) {
#ifdef CPU_CARD
  return *(const uint4 *)at;
#else
  uint4 v;
  asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at) : "memory");
  return v;
#endif
}
// Hands a row over, four numbers at a time: several are asked for before the first is used, because each takes a microsecond or two. width is a multiple of 4; 256 threads.
template <class F> __device__ __forceinline__ void eachHostFour(const float *row, int width, F use) {
  constexpr int AT_ONCE = 5, STEP = 4 * 256;
  for (int from = 4 * threadIdx.x; from < width; from += AT_ONCE * STEP) {
    uint4 v[AT_ONCE];
#pragma unroll
    for (int n = 0; n < AT_ONCE; n++)
      if (from + n * STEP < width) v[n] = hostWords(row + from + n * STEP);
#pragma unroll
    for (int n = 0; n < AT_ONCE; n++)
      if (from + n * STEP < width) use(from + n * STEP, make_float4(__uint_as_float(v[n].x), __uint_as_float(v[n].y), __uint_as_float(v[n].z), __uint_as_float(v[n].w)));
  }
}
__device__ __forceinline__ u32 hostWord(const void *at) { return *(const volatile u32 *)at; }
__device__ __forceinline__ void putHostWord(u32 *at, u32 value) { *(volatile u32 *)at = value; }
