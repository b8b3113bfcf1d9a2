// Products of a group of four warps, by Hopper's own instructions (wgmma): c [64, N] += a [64, 16] b [16, N], f16 with sums in f32. A warp has 16 of the 64 rows, and lanes have of
// them what they have of m16n8k16 (tensor.cuh); b, or both, lie in shared memory in slabs: rows of 64 numbers (128 bytes), of which unit i of 16 bytes lies at i ^ (row % 8). A slab
// begins at a multiple of 1024 bytes. All threads of a group come together to every call here.
struct Slab {
#ifdef CPU_CARD
  const u8 *at;
#else
  u32 at;
#endif
  __device__ __forceinline__ Slab behind(int bytes) const { return Slab{at + bytes}; }
};
__device__ __forceinline__ Slab slabAt(const void *at) {
#ifdef CPU_CARD
  return Slab{(const u8 *)at};
#else
  return Slab{(u32)__cvta_generic_to_shared(at)};
#endif
}
constexpr int SLAB_ROW = 128;
// Where unit i of a row of a slab is, in units of 16 bytes.
__device__ __forceinline__ int unitAt(int row, int i) { return row * 8 + (i ^ (row & 7)); }
// Memory that a launch says the size of, from the first place on where a slab may begin.
__device__ __forceinline__ u8 *firstSlab(uint4 *room) {
#ifdef CPU_CARD
  return (u8 *)(((u64)room + 1023) & ~(u64)1023);
#else
  return (u8 *)room + ((1024 - ((u32)__cvta_generic_to_shared(room) & 1023)) & 1023);
#endif
}

// What was written to shared memory is seen by products that are asked for behind the next barrier.
__device__ __forceinline__ void publishSlabs() {
#ifndef CPU_CARD
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}
// Before the first product of a run, and after registers of one were written.
__device__ __forceinline__ void beginProducts() {
#ifndef CPU_CARD
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ __forceinline__ void endProducts() {
#ifndef CPU_CARD
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
// Until at most so many of the runs that were ended last are not over.
template <int LEFT> __device__ __forceinline__ void awaitProducts() {
#ifndef CPU_CARD
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
#endif
}
// The compiler moves no use of these numbers over it.
template <int COUNT> __device__ __forceinline__ void pin(float *c) {
#ifndef CPU_CARD
#pragma unroll
  for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(c[i])::"memory");
#endif
}

#ifdef CPU_CARD
// Number (row, i) of slabs whose rows are in groups of eight.
inline float numberIn(Slab slab, int row, int i) { return value(((const f16 *)(slab.at + row * SLAB_ROW))[((i / 8) ^ (row & 7)) * 8 + i % 8]); }
struct Four {
  u32 words[4];
};
// ofA(row of the lane's two, k) and ofB(k, column).
template <int N, class A, class B> inline void products(float *c, A ofA, B ofB) {
  const int t = threadIdx.x & 3;
  for (int j = 0; j < N / 8; j++)
    for (int i = 0; i < 4; i++) {
      float sum = c[4 * j + i];
      for (int k = 0; k < 16; k++) sum += ofA(i / 2, k) * ofB(k, 8 * j + 2 * t + i % 2);
      c[4 * j + i] = sum;
    }
}
template <int N, class B> inline void productsOf(float *c, const u32 *a, B ofB) {
  card::together(Four{{a[0], a[1], a[2], a[3]}}, [&](auto read, int lane) {
    float own[2][16];
    for (int quarter = 0; quarter < 4; quarter++) {
      const Four four = read(lane / 4 * 4 + quarter);
      for (int i = 0; i < 4; i++)
        for (int half = 0; half < 2; half++) own[i % 2][i / 2 * 8 + 2 * quarter + half] = value(f16{(u16)(four.words[i] >> 16 * half)});
    }
    products<N>(c, [&](int row, int k) { return own[row][k]; }, ofB);
    return 0;
  });
}
#else
#define C8(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7])
#define C32(c, i) C8(c, i), C8(c, i + 8), C8(c, i + 16), C8(c, i + 24)
#define R16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define R32 R16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define R64 R32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define WGMMA(n) "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.f16.f16 "
// Rows in groups of eight, 1024 bytes from one group to the next; ACROSS: bytes from one slab to the next where b's columns, and not k, lie along its rows.
template <int ACROSS> __device__ __forceinline__ u64 descriptor(Slab slab) {
  return (u64)((slab.at & 0x3ffff) >> 4) | (u64)(ACROSS >> 4) << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}
#endif

// a and b in shared memory, k along their rows, from a multiple of 16 on: number k of both is behind the slab's row by 2 k bytes.
template <int N> __device__ __forceinline__ void multiplySlabs(float *c, Slab a, Slab b) {
#ifdef CPU_CARD
  const int own = (threadIdx.x >> 5 & 3) * 16 + (threadIdx.x >> 2 & 7);
  const auto in = [](Slab slab, int row, int k) {
    const int shift = (int)((u64)slab.at & 127) / 2;
    return numberIn(Slab{slab.at - 2 * shift}, row, shift + k);
  };
  products<N>(c, [&](int row, int k) { return in(a, own + 8 * row, k); }, [&](int k, int column) { return in(b, column, k); });
#else
  static_assert(N == 64, "the columns that are asked for");
  asm volatile(WGMMA(64) "{" R32 "}, %32, %33, 1, 1, 1, 0, 0;" : C32(c, 0) : "l"(descriptor<16>(a)), "l"(descriptor<16>(b)));
#endif
}
// a in registers; b in shared memory, k along its rows as above.
template <int N> __device__ __forceinline__ void multiplyAlong(float *c, const u32 *a, Slab b) {
#ifdef CPU_CARD
  const int shift = (int)((u64)b.at & 127) / 2;
  productsOf<N>(c, a, [&](int k, int column) { return numberIn(Slab{b.at - 2 * shift}, column, shift + k); });
#else
  static_assert(N == 32 || N == 64 || N == 128, "the columns that are asked for");
  const u64 slab = descriptor<16>(b);
  if constexpr (N == 32) asm volatile(WGMMA(32) "{" R16 "}, {%16,%17,%18,%19}, %20, 1, 1, 1, 0;" : C8(c, 0), C8(c, 8) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(slab));
  else if constexpr (N == 64) asm volatile(WGMMA(64) "{" R32 "}, {%32,%33,%34,%35}, %36, 1, 1, 1, 0;" : C32(c, 0) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(slab));
  else asm volatile(WGMMA(128) "{" R64 "}, {%64,%65,%66,%67}, %68, 1, 1, 1, 0;" : C32(c, 0), C32(c, 32) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(slab));
#endif
}
// a in registers; b in shared memory, its columns along the rows, 64 of them in a slab: row k of a slab is k. From one slab to the next it is ACROSS bytes.
template <int N, int ACROSS> __device__ __forceinline__ void multiplyAcross(float *c, const u32 *a, Slab b) {
#ifdef CPU_CARD
  productsOf<N>(c, a, [&](int k, int column) { return numberIn(b.behind(column / 64 * ACROSS), k, column % 64); });
#else
  static_assert(N == 64 || N == 128, "the columns that are asked for");
  const u64 slab = descriptor<ACROSS>(b);
  if constexpr (N == 64) asm volatile(WGMMA(64) "{" R32 "}, {%32,%33,%34,%35}, %36, 1, 1, 1, 1;" : C32(c, 0) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(slab));
  else asm volatile(WGMMA(128) "{" R64 "}, {%64,%65,%66,%67}, %68, 1, 1, 1, 1;" : C32(c, 0), C32(c, 32) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(slab));
#endif
}

// A group's threads have so many registers from now on: more than a block began with where another has fewer. A multiple of eight.
template <int COUNT> __device__ __forceinline__ void takeRegisters() {
#ifndef CPU_CARD
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}
template <int COUNT> __device__ __forceinline__ void giveRegisters() {
#ifndef CPU_CARD
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}

// Barriers of some of a block's warps, by number from 1 to 15: `meet` waits until so many threads have come, `announce` counts as one that has come and goes on.
__device__ __forceinline__ void meet(int barrier, int threads) {
#ifdef CPU_CARD
  card::wait(card::named[barrier], threads);
#else
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#endif
}
__device__ __forceinline__ void announce(int barrier, int threads) {
#ifdef CPU_CARD
  card::Barrier &own = card::named[barrier];
  if (++own.arrived == threads) own.arrived = 0, own.turn++;
#else
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#endif
}

// A cluster: COUNT neighbouring blocks that run at once and read each other's shared memory. On a CPU blocks run one after the other: what each of them has is kept there, for the last.
#ifdef CPU_CARD
constexpr int KEPT = 2 * 64 * 132;
static float keptRooms[8][KEPT];
static const float *keptFrom;
#endif
// Until all threads of all blocks of a cluster are here. What they wrote before is seen behind it.
__device__ __forceinline__ void meetCluster() {
#ifndef CPU_CARD
  asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
#endif
}
// Four numbers where `at` is in block `rank` of the cluster.
template <int COUNT> __device__ __forceinline__ float4 clusterFour(const float *at, int rank) {
#ifdef CPU_CARD
  return *(const float4 *)(COUNT > 1 ? keptRooms[rank] + (at - keptFrom) : at);
#else
  if (COUNT == 1) return *(const float4 *)at;
  u32 remote;
  float4 v;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"((u32)__cvta_generic_to_shared(at)), "r"(rank));
  asm volatile("ld.shared::cluster.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(remote) : "memory");
  return v;
#endif
}
__device__ __forceinline__ float4 sumOf(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
