// Matrices [n, k] in tiles of 16 outputs and 64 inputs, and what multiplies them. A lane's part of a tile are its own operands of four matrix instructions, each of
// 16 inputs: outputs g = lane / 4 and g + 8, of instruction s inputs 16 s + 4 t to 16 s + 4 t + 3, t = lane % 4. n is filled up to a multiple of 16, k of 128.
// WEIGHT: 4 and 8 integers of so many bits, 2 e4m3, 16 f16. BLOCK: inputs that share a scale (32, 64 or 128), or 0: all of an output. Scales are pairs, of outputs g and g + 8.
struct Matrix {
  const uint4 *tiles;
  const float2 *scales;
};
// Words of 16 bytes that a lane has of a tile, and scales of a lane in 128 inputs.
constexpr int WORDS = WEIGHT == 4 ? 1 : WEIGHT == 16 ? 4 : 2, SPAN = 128, SCALES = BLOCK == 0 ? 0 : SPAN / BLOCK;

#ifdef CPU_CARD
inline u32 pairOf(float low, float high) { return (u32)halfBits(low) | (u32)halfBits(high) << 16; }
#endif

// Two numbers of 4 bits, in bits 0 to 3 and 16 to 19, less 8: as f16 with 1024 put on and taken off.
__device__ __forceinline__ u32 twoOf4(u32 word) {
#ifdef CPU_CARD
  return pairOf((float)(word & 15u) - 8.f, (float)(word >> 16 & 15u) - 8.f);
#else
  u32 pair;
  asm("lop3.b32 %0, %1, 0x000f000f, 0x64006400, 0xea;" : "=r"(pair) : "r"(word));
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(pair) : "r"(pair), "r"(0x64086408));
  return pair;
#endif
}
// Bytes `low` and `high` of a word, less 128.
template <int LOW, int HIGH> __device__ __forceinline__ u32 twoOf8(u32 word) {
#ifdef CPU_CARD
  return pairOf((float)(word >> 8 * LOW & 255u) - 128.f, (float)(word >> 8 * HIGH & 255u) - 128.f);
#else
  u32 pair;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(pair) : "r"(word), "r"(0x64), "n"(LOW | 4 << 4 | HIGH << 8 | 4 << 12));
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(pair) : "r"(pair), "r"(0x64806480));
  return pair;
#endif
}
// Two e4m3 in bytes 1 and 3, as f16 that lack 2^8: sign, exponent and fraction in their places.
__device__ __forceinline__ u32 twoOfE4m3(u32 word) { return (word & 0x80008000u) | (word & 0x7f007f00u) >> 1; }

// A lane's operands of instruction s.
__device__ __forceinline__ void operands(const uint4 *words, int s, u32 *a) {
#if WEIGHT == 4
  const u32 word = s == 0 ? words[0].x : s == 1 ? words[0].y : s == 2 ? words[0].z : words[0].w;
  a[0] = twoOf4(word), a[1] = twoOf4(word >> 4), a[2] = twoOf4(word >> 8), a[3] = twoOf4(word >> 12);
#elif WEIGHT == 16
  a[0] = words[s].x, a[1] = words[s].y, a[2] = words[s].z, a[3] = words[s].w;
#else
  const uint4 &both = words[s / 2];
  const u32 first = s % 2 == 0 ? both.x : both.z, second = s % 2 == 0 ? both.y : both.w;
#if WEIGHT == 8
  a[0] = twoOf8<1, 3>(first), a[1] = twoOf8<0, 2>(first), a[2] = twoOf8<1, 3>(second), a[3] = twoOf8<0, 2>(second);
#else
  a[0] = twoOfE4m3(first), a[1] = twoOfE4m3(first << 8), a[2] = twoOfE4m3(second), a[3] = twoOfE4m3(second << 8);
#endif
#endif
}

// Weights are read once: they need not stay in the cache.
__device__ __forceinline__ uint4 once(const uint4 *at) {
#ifdef CPU_CARD
  return *at;
#else
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at));
  return v;
#endif
}

// A lane's part of TILES tiles and 128 inputs.
struct Weights {
  uint4 words[TILES][2 * WORDS];
#if BLOCK > 0
  float2 scales[TILES][SCALES];
#endif
};
// Where a lane's part of a tile's first 128 inputs is, and of its scales. Tiles behind the last are read as the last.
struct Source {
  const uint4 *words;
  const float2 *scales;
};
__device__ __forceinline__ Source sourceOf(const Matrix &matrix, int tile, int tileCount, int spans, int lane) {
  const long long own = tile < tileCount ? tile : tileCount - 1;
  return Source{matrix.tiles + own * spans * 2 * WORDS * 32 + lane, matrix.scales + own * spans * SCALES * 8 + lane / 4};
}
__device__ __forceinline__ void fetchWords(uint4 *into, const Source &from, int span, int half) {
#pragma unroll
  for (int i = 0; i < WORDS; i++) into[half * WORDS + i] = once(from.words + (span * 2 * WORDS + half * WORDS + i) * 32);
}
__device__ __forceinline__ void fetchScales(Weights &into, int m, const Source &from, int span) {
#if BLOCK > 0
#pragma unroll
  for (int i = 0; i < SCALES; i++) into.scales[m][i] = __ldg(from.scales + (span * SCALES + i) * 8);
#endif
}
__device__ __forceinline__ void fetch(Weights &into, const Source *from, int span) {
#pragma unroll
  for (int m = 0; m < TILES; m++) {
    fetchWords(into.words[m], from[m], span, 0);
    fetchWords(into.words[m], from[m], span, 1);
    fetchScales(into, m, from[m], span);
  }
}
