// What every kernel here begins with: types of storage, and sums over a warp. Compiled by NVRTC without any header.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef CPU_CARD
// A block's memory that a launch says the size of.
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

// The next kernel's blocks may come where there is room, and wait. Without it they come when all of this one's have waited for the one before.
__device__ __forceinline__ void letNextCome() {
#if !defined(CPU_CARD) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
// Waits for the kernel before this one, and does not let the next one come beside it.
__device__ __forceinline__ void awaitAlone() {
#if !defined(CPU_CARD) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// Every kernel calls it before it reads or writes what others write or read: until then it may run beside the end of the one before it, which has waited for all before that.
__device__ __forceinline__ void awaitPrevious() {
  awaitAlone();
  letNextCome();
}

// What was there before the kernel that this one may run beside began, read before awaitPrevious: not from a cache that may have what was there earlier.
__device__ __forceinline__ int early(const int *at) { return *(const volatile int *)at; }

// Asks for what is read soon, which others may yet write: the cache that all share has it then.
__device__ __forceinline__ void toCache(const void *at) {
#ifndef CPU_CARD
  asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
#endif
}

// From global to shared memory, beside what the thread goes on with: in turns, each of which ends, and can be waited for.
__device__ __forceinline__ void copyAhead(uint4 *to, const void *from) {
#ifdef CPU_CARD
  *to = *(const uint4 *)from;
#else
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(to)), "l"(from));
#endif
}
__device__ __forceinline__ void endTurn() {
#ifndef CPU_CARD
  asm volatile("cp.async.commit_group;");
#endif
}
// Until all but the last LEFT turns are there.
template <int LEFT> __device__ __forceinline__ void awaitTurns() {
#ifndef CPU_CARD
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

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
#ifdef CPU_CARD
__device__ __forceinline__ float value(f16 x) { return card::halves[x.bits]; }
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

// Sixteen bytes of storage as floats: four of f32, eight of bf16.
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

// Activations, as a kernel's macro TERMS says: f32 (0), f16 (1), or the sum of two f16 (2), which has some 22 bits. A row of f16 is [TERMS, stride], stride a
// multiple of 128 and zero behind the width. Its numbers lie as matrix instructions read them, as the macro ORDER says: number 16 s + 4 t + j of 64 lies at 16 t + 4 s + j (0), where each lane
// reads its own; or at 16 s + 8 (j / 2) + 2 t + j % 2 (1), where instructions of four warps read rows from shared memory (group.cuh).
#ifdef TERMS
#if TERMS == 0
typedef float Activation;
#else
typedef f16 Activation;
#endif
__device__ __forceinline__ long long rowSize(int stride) { return (long long)stride * (TERMS == 2 ? 2 : 1); }
template <int IN = ORDER> __device__ __forceinline__ int placeOf(int i) {
  if (TERMS == 0) return i;
  return IN == 0 ? (i & ~63) | (i >> 2 & 3) << 4 | (i >> 4 & 3) << 2 | (i & 3) : (i & ~15) | (i >> 1 & 1) << 3 | (i >> 2 & 3) << 1 | (i & 1);
}
// Number i of a row.
__device__ __forceinline__ void putNumber(Activation *row, int stride, int i, float x) {
#if TERMS == 0
  row[i] = x;
#else
  x = x > 65504.f ? 65504.f : x < -65504.f ? -65504.f : x;
  const f16 upper = {halfBits(x)};
  row[placeOf<>(i)] = upper;
  if (TERMS == 2) row[stride + placeOf<>(i)] = f16{halfBits(x - value(upper))};
#endif
}
// Numbers i to i + 3 of a row; i is a multiple of four.
template <int IN = ORDER> __device__ __forceinline__ void putFour(Activation *row, int stride, int i, float4 v) {
#if TERMS == 0
  *(float4 *)(row + i) = v;
#else
  const float four[4] = {v.x, v.y, v.z, v.w};
  u16 upper[4], lower[4];
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const float x = four[j] > 65504.f ? 65504.f : four[j] < -65504.f ? -65504.f : four[j];
    upper[j] = halfBits(x);
    lower[j] = halfBits(x - value(f16{upper[j]}));
  }
  const auto put = [&](Activation *at, const u16 *bits) {
    uint2 words;
    words.x = bits[0] | (u32)bits[1] << 16, words.y = bits[2] | (u32)bits[3] << 16;
    if (IN == 0) *(uint2 *)at = words;
    else *(u32 *)at = words.x, *(u32 *)(at + 8) = words.y;
  };
  put(row + placeOf<IN>(i), upper);
  if (TERMS == 2) put(row + stride + placeOf<IN>(i), lower);
#endif
}
#endif

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
  x = warpSum((int)(threadIdx.x & 31) < (int)blockDim.x / 32 ? room[threadIdx.x & 31] : 0.f);
  __syncthreads();
  return x;
}

// Whether a block is the last of so many to come here: it then sees what all of them have written. arrived is 0, and is so again. All threads of a block.
__device__ __forceinline__ bool isLastBlock(int *arrived, int count) {
  __shared__ bool isLast;
#ifndef CPU_CARD
  __threadfence();
#endif
  __syncthreads();
  if (threadIdx.x == 0) {
    isLast = atomicAdd(arrived, 1) == count - 1;
    if (isLast) *arrived = 0;
  }
  __syncthreads();
#ifndef CPU_CARD
  __threadfence();
#endif
  return isLast;
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

// Rows [first, first + count) of a list of rows are multiplied by one matrix of a table. Rows from `fold` of a launch on are the shared expert's: see linear.cu.
struct Job {
  int matrix, first, count, unused;
};
