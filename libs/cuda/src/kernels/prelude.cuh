// What every kernel here begins with: types of storage, and sums over a warp. Compiled by NVRTC without any header.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr float NONE = -3.0e38f;  // less than any score or logit

// The upper half of a float: its range with three decimal digits less.
struct bf16 {
  u16 bits;
};
// Eleven bits of precision, up to 65504: what is larger is kept as that.
struct f16 {
  u16 bits;
};
__device__ __forceinline__ float value(float x) { return x; }
__device__ __forceinline__ float value(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
// Rounds to the nearest, ties to even.
__device__ __forceinline__ void put(float *at, float x) { *at = x; }
__device__ __forceinline__ void put(bf16 *at, float x) {
  const u32 bits = __float_as_uint(x);
  at->bits = x != x ? 0x7fc0 : (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#ifdef CPU_CARD
__device__ __forceinline__ float value(f16 x) {
  _Float16 half;
  memcpy(&half, &x, 2);
  return (float)half;
}
__device__ __forceinline__ u16 halfBits(float x) {
  const _Float16 half = (_Float16)x;
  u16 bits;
  memcpy(&bits, &half, 2);
  return bits;
}
#else
__device__ __forceinline__ float value(f16 x) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x.bits));
  return f;
}
__device__ __forceinline__ u16 halfBits(float x) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#endif
__device__ __forceinline__ void put(f16 *at, float x) {
  at->bits = halfBits(x > 65504.f ? 65504.f : x < -65504.f ? -65504.f : x);
}

// Sixteen bytes of storage as floats: four of f32, eight of bf16 or f16.
__device__ __forceinline__ void unpack16(const float *at, float *out) {
  const float4 v = *(const float4 *)at;
  out[0] = v.x, out[1] = v.y, out[2] = v.z, out[3] = v.w;
}
__device__ __forceinline__ void unpack16(const bf16 *at, float *out) {
  const uint4 v = *(const uint4 *)at;
  const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    out[2 * i] = __uint_as_float(words[i] << 16);
    out[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

__device__ __forceinline__ void unpack16(const f16 *at, float *out) {
  const uint4 v = *(const uint4 *)at;
  const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    out[2 * i] = value(f16{(u16)words[i]});
    out[2 * i + 1] = value(f16{(u16)(words[i] >> 16)});
  }
}

// Every lane gets the whole warp's; the order of the sum is always the same.
__device__ __forceinline__ float warpSum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}
__device__ __forceinline__ float warpMax(float x) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) {
    const float other = __shfl_xor_sync(ALL_LANES, x, step);
    x = other > x ? other : x;
  }
  return x;
}
// The same over a block of whole warps; `room` has a place for each warp.
__device__ __forceinline__ float blockSum(float x, float *room) {
  x = warpSum(x);
  if ((threadIdx.x & 31) == 0) room[threadIdx.x >> 5] = x;
  __syncthreads();
  x = 0.f;
  for (int i = 0; i < (int)blockDim.x / 32; i++) x += room[i];
  __syncthreads();
  return x;
}

// A larger value is better, and of equal ones the smaller index.
struct Best {
  float value;
  int index;
};
__device__ __forceinline__ bool isBetter(Best a, Best b) { return a.value > b.value || (a.value == b.value && a.index < b.index); }
__device__ __forceinline__ Best warpBest(Best best) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) {
    const Best other = {__shfl_xor_sync(ALL_LANES, best.value, step), __shfl_xor_sync(ALL_LANES, best.index, step)};
    if (isBetter(other, best)) best = other;
  }
  return best;
}

// Rows [first, first + count) of a list of rows are multiplied by the matrix of one expert.
struct Job {
  int expert, first, count, unused;
};
