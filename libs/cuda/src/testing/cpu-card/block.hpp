// How kernels run on a CPU: CUDA's names for C++, and one block at a time, each of its threads a fiber. Put before a kernel's source.
// What it shows is what a kernel computes; it says nothing of how fast, and finds no race between blocks.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#define CPU_CARD 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
// A block's own: blocks run one after the other.
#define __shared__ static

struct uint2 { uint32_t x, y; };
struct uint4 { uint32_t x, y, z, w; };
struct int2 { int32_t x, y; };
struct int4 { int32_t x, y, z, w; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct dim3 { unsigned x, y, z; };
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
inline int4 make_int4(int32_t x, int32_t y, int32_t z, int32_t w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

template <class A, class B> inline auto min(A a, B b) -> decltype(a + b) { return a < b ? a : b; }
template <class A, class B> inline auto max(A a, B b) -> decltype(a + b) { return a > b ? a : b; }
inline uint32_t __float_as_uint(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
inline float __uint_as_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
inline int32_t __float_as_int(float f) { return (int32_t)__float_as_uint(f); }
inline float __int_as_float(int32_t i) { return __uint_as_float((uint32_t)i); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
template <class T> inline T __ldg(const T *p) { return *p; }
inline double atomicAdd(double *p, double v) { double old = *p; *p += v; return old; }
inline int atomicAdd(int *p, int v) { int old = *p; *p += v; return old; }

// A block's memory that a launch says the size of: as much as a card has.
#define DYNAMIC_SHARED(type, name) static type name[227 * 1024 / sizeof(type)]
inline int __popc(uint32_t u) { return __builtin_popcount(u); }

static dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace card {
// Every f16 as a float.
static const std::vector<float> halves = [] {
  std::vector<float> all(65536);
  for (int i = 0; i < 65536; i++) {
    const uint16_t bits = (uint16_t)i;
    _Float16 half;
    memcpy(&half, &bits, 2);
    all[i] = (float)half;
  }
  return all;
}();
constexpr size_t STACK = 256 * 1024;
constexpr int WARP = 32;
struct Fiber { jmp_buf at; ucontext_t start; std::unique_ptr<char[]> stack; bool begun, done; dim3 index; };
struct Barrier { int arrived = 0, turn = 0; };
static std::vector<std::unique_ptr<Fiber>> fibers;
static std::vector<Barrier> warps;
static std::vector<int> warpSizes;
// Two places a thread, in turns: who is ahead by one exchange does not overwrite what others have yet to read.
struct Place { uint64_t words[4]; };
static std::vector<Place> exchanged[2];
static Barrier block, named[16];
static int current, alive;
static jmp_buf scheduler;
static ucontext_t back;
static std::function<void()> body;

inline void yield() { if (_setjmp(fibers[current]->at) == 0) _longjmp(scheduler, 1); }
inline void wait(Barrier &barrier, int count) {
  const int turn = barrier.turn;
  if (++barrier.arrived == count) { barrier.arrived = 0; barrier.turn++; return; }
  while (barrier.turn == turn) yield();
}
// A fiber runs its thread of one block after the other: to begin one anew costs two calls of the system.
inline void enter() {
  for (;;) {
    body();
    Fiber &fiber = *fibers[current];
    fiber.done = true; alive--; warpSizes[current / WARP]--;
    // Those that wait for a thread that has ended wait for it no longer.
    if (alive > 0 && block.arrived == alive) { block.arrived = 0; block.turn++; }
    yield();
  }
}
// Runs one block; every thread goes on until it waits for others.
inline void run(int count) {
  while ((int)fibers.size() < count) { fibers.push_back(std::make_unique<Fiber>()); fibers.back()->stack.reset(new char[STACK]); fibers.back()->begun = false; }
  warps.assign((count + WARP - 1) / WARP, {}); warpSizes.assign(warps.size(), 0); for (auto &each : exchanged) each.assign(count, Place{}); block = {}; for (auto &each : named) each = {}; alive = count;
  for (int i = 0; i < count; i++) {
    Fiber &fiber = *fibers[i];
    fiber.done = false; warpSizes[i / WARP]++;
    fiber.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
  }
  long idle = 0;
  for (volatile int i = 0; alive > 0; i = (i + 1) % count) {
    Fiber &fiber = *fibers[i];
    if (fiber.done) continue;
    current = i; threadIdx = fiber.index;
    const long before = (long)block.turn + alive;
    if (_setjmp(scheduler) == 0) {
      if (fiber.begun) _longjmp(fiber.at, 1);
      fiber.begun = true;
      getcontext(&fiber.start);
      fiber.start.uc_stack.ss_sp = fiber.stack.get(); fiber.start.uc_stack.ss_size = STACK; fiber.start.uc_link = nullptr;
      makecontext(&fiber.start, enter, 0);
      swapcontext(&back, &fiber.start);
    }
    idle = before == (long)block.turn + alive ? idle + 1 : 0;
    if (idle > 4000000) { fprintf(stderr, "cpu-card: threads of a block wait for each other for ever\n"); abort(); }
  }
}
// Each lane of a warp gives a value; `use` reads all of them before any lane goes on.
template <class T, class F> inline auto together(T value, F use) {
  const int warp = current / WARP, lane = current % WARP, first = warp * WARP;
  std::vector<Place> &places = exchanged[warps[warp].turn & 1];
  memcpy(&places[current], &value, sizeof value);
  wait(warps[warp], warpSizes[warp]);
  return use([&](int i) { T v; memcpy(&v, &places[first + i], sizeof v); return v; }, lane);
}
template <class... A, size_t... I> std::function<void()> closed(void (*kernel)(A...), void **values, std::index_sequence<I...>) {
  return std::bind(kernel, *static_cast<std::remove_const_t<A> *>(values[I])...);
}
// The kernel with its arguments copied, as a launch copies them.
template <class... A> std::function<void()> *bound(void (*kernel)(A...), void **values) {
  return new std::function<void()>(closed(kernel, values, std::index_sequence_for<A...>{}));
}
}  // namespace card

extern "C" void card_run(std::function<void()> *kernel, const unsigned *grid, const unsigned *size) {
  card::body = *kernel;
  gridDim = {grid[0], grid[1], grid[2]}; blockDim = {size[0], size[1], size[2]};
  for (unsigned z = 0; z < grid[2]; z++)
    for (unsigned y = 0; y < grid[1]; y++)
      for (unsigned x = 0; x < grid[0]; x++) { blockIdx = {x, y, z}; card::run((int)(size[0] * size[1] * size[2])); }
}
inline void __syncthreads() { card::wait(card::block, card::alive); }
inline void __syncwarp() { card::together(0, [](auto, int) { return 0; }); }
template <class T> inline T __shfl_xor_sync(unsigned, T value, int mask) { return card::together(value, [mask](auto read, int lane) { return read(lane ^ mask); }); }
template <class T> inline T __shfl_sync(unsigned, T value, int source) { return card::together(value, [source](auto read, int) { return read(source); }); }
inline uint32_t __ballot_sync(unsigned, bool is) {
  return card::together(is, [](auto read, int) { uint32_t all = 0; for (int i = 0; i < card::WARP; i++) all |= (uint32_t)read(i) << i; return all; });
}
