// Rows of numbers as a checkpoint stores them. SOURCE: 0 f32, 1 bf16, 2 e4m3, 3 f16, 5 E2M1, 7 signed bytes, 4 and 8 integers of so many bits around the middle of
// their range. Of 4 bits two are a byte, the first in the lower half. A row has lineBytes; `stored` has its scales [rows, groups], one for each `groupSize` inputs, or there
// are none (groupSize 0). Each operation is rounded as the CPU rounds it, so that none may be joined with the next.
#ifdef CPU_CARD
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __double2float_rn(double x) { return (float)x; }
#endif

__device__ __forceinline__ float numberOf(const u8 *row, int i) {
#if SOURCE == 0
  return ((const float *)row)[i];
#elif SOURCE == 1
  return value(((const bf16 *)row)[i]);
#elif SOURCE == 2
  const u32 byte = row[i], exponent = byte >> 3 & 15u, fraction = byte & 7u;
  const float size = exponent == 0 ? (float)fraction * 0.001953125f : __uint_as_float(exponent + 120u << 23 | fraction << 20);
  return (byte & 127u) == 127u ? __uint_as_float(0x7fc00000u) : byte & 128u ? -size : size;
#elif SOURCE == 3
  return value(((const f16 *)row)[i]);
#elif SOURCE == 4
  return (float)((int)(row[i >> 1] >> 4 * (i & 1) & 15) - 8);
#elif SOURCE == 5
  const u32 code = row[i >> 1] >> 4 * (i & 1) & 15u, exponent = code >> 1 & 3u;
  const float size = exponent == 0 ? 0.5f * (float)(code & 1u) : __uint_as_float(exponent + 126u << 23 | (code & 1u) << 22);
  return code & 8u ? -size : size;
#elif SOURCE == 7
  return (float)((int)(row[i] ^ 128) - 128);
#else
  return (float)((int)row[i] - 128);
#endif
}

// What number i of a row stands for, rounded once.
struct Row {
  const u8 *bytes;
  const float *scales;
  int groupSize;
  __device__ __forceinline__ float operator[](int i) const {
    const float number = numberOf(bytes, i);
    return groupSize == 0 ? number : __fmul_rn(number, scales[i / groupSize]);
  }
};
__device__ __forceinline__ Row rowOf(const u8 *source, const float *stored, int row, int k, int lineBytes, int groupSize) {
  const int groups = groupSize == 0 ? 0 : (k + groupSize - 1) / groupSize;
  return Row{source + (long long)row * lineBytes, stored + (long long)row * groups, groupSize};
}

