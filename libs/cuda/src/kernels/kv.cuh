// Keys and values, as the macro KV says: f32, or 16 bits a number with a scale for each head of a row (i16). Their scale is 2^-28 times a float of five bits of
// exponent and three of fraction, the code, whose bits are the lowest ones of the head's first eight numbers, which therefore are even: a number of 16 bits is within some 2^-16 of the
// head's largest one, where f16 is within 2^-12 of itself.
struct i16 {
  short bits;
};
constexpr u32 LEAST_SCALE = 99u << 23;
__device__ __forceinline__ float scaleOf(u32 code) { return __uint_as_float(LEAST_SCALE + (code << 20)); }

// Eight numbers as they are stored.
template <class T> struct Eight;
template <> struct Eight<float> {
  float4 words[2];
};
template <> struct Eight<i16> {
  uint4 words[1];
};
template <class T> __device__ __forceinline__ Eight<T> readEight(const T *at) {
  Eight<T> eight;
  const auto *words = (decltype(eight.words + 0))at;
#pragma unroll
  for (int i = 0; i < (int)sizeof(eight) / 16; i++) eight.words[i] = words[i];
  return eight;
}
// To floats that lack the scale. isFirst: they are a head's first eight.
__device__ __forceinline__ void numbersOf(const Eight<float> &eight, bool, float *out) {
#pragma unroll
  for (int i = 0; i < 2; i++) out[4 * i] = eight.words[i].x, out[4 * i + 1] = eight.words[i].y, out[4 * i + 2] = eight.words[i].z, out[4 * i + 3] = eight.words[i].w;
}
__device__ __forceinline__ void numbersOf(const Eight<i16> &eight, bool isFirst, float *out) {
  const u32 mask = isFirst ? 0xfffefffeu : 0xffffffffu;
  const u32 words[4] = {eight.words[0].x, eight.words[0].y, eight.words[0].z, eight.words[0].w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    // 2^23 + 2^15 + n as a float's bits, for n of 16 bits with a sign.
    const u32 word = (words[i] & mask) ^ 0x80008000u;
    out[2 * i] = __uint_as_float(0x4b000000u | (word & 0xffffu)) - 8421376.f;
    out[2 * i + 1] = __uint_as_float(0x4b000000u | word >> 16) - 8421376.f;
  }
}
// The scale that a head's first eight carry.
__device__ __forceinline__ float scaleIn(const Eight<float> &) { return 1.f; }
__device__ __forceinline__ float scaleIn(const Eight<i16> &eight) {
  const uint4 &words = eight.words[0];
  // Of each word the lowest bits of both halves, two places further for each.
  const u32 bits = (words.x & 0x10001u) | (words.y & 0x10001u) << 2 | (words.z & 0x10001u) << 4 | (words.w & 0x10001u) << 6;
  return scaleOf((bits | bits >> 15) & 255u);
}
// What a head whose largest number is `peak` is stored with, and its number i.
__device__ __forceinline__ int codeOf(const float *, float) { return 0; }
__device__ __forceinline__ int codeOf(const i16 *, float peak) {
  // The least scale that is not below peak / 32764.
  const u32 wanted = __float_as_uint(peak / 32764.f) + 0xfffffu;
  if (wanted < LEAST_SCALE) return 0;
  const u32 code = (wanted - LEAST_SCALE) >> 20;
  return code > 255u ? 255 : (int)code;
}
__device__ __forceinline__ void putKv(float *head, int i, float x, int) { head[i] = x; }
__device__ __forceinline__ void putKv(i16 *head, int i, float x, int code) {
  float n = x / scaleOf(code);
  n = n > 32766.f ? 32766.f : n < -32766.f ? -32766.f : n;
  head[i].bits = (short)(i < 8 ? 2 * (int)rintf(n * 0.5f) | (code >> i & 1) : (int)rintf(n));
}
