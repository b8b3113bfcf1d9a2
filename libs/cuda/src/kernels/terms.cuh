// Numbers as the sums of two f16, some 22 bits, and weights of attention.
constexpr float LOG2E = 1.4426950408889634f;
// Weights are below 2^SHIFT, so that both of their f16 keep their bits.
constexpr float SHIFT = 10.f;
// To where f16 has numbers; what is no number stays that.
__device__ __forceinline__ float clamped(float x) {
#ifdef CPU_CARD
  return x > 65504.f ? 65504.f : x < -65504.f ? -65504.f : x;
#else
  asm("min.NaN.f32 %0, %0, %1;" : "+f"(x) : "f"(65504.f));
  asm("max.NaN.f32 %0, %0, %1;" : "+f"(x) : "f"(-65504.f));
  return x;
#endif
}
// 2^x; what is too small to be a float's own is zero.
__device__ __forceinline__ float power2(float x) {
#ifdef CPU_CARD
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}
// Two numbers as the sums of two f16 each.
__device__ __forceinline__ void twoTerms(float x, float y, u32 &upper, u32 &lower) {
#ifdef CPU_CARD
  const f16 a = {halfBits(x)}, b = {halfBits(y)};
  upper = a.bits | (u32)b.bits << 16;
  lower = halfBits(x - value(a)) | (u32)halfBits(y - value(b)) << 16;
#else
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(upper) : "f"(y), "f"(x));
  const float a = value(f16{(u16)upper}), b = value(f16{(u16)(upper >> 16)});
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(lower) : "f"(y - b), "f"(x - a));
#endif
}
