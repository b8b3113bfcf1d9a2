// Rows of stored numbers (source.cuh) to integers in blocks, to the bit those of the CPU's quantizer (libs/checkpoint, tensors/quantize.ts), which computes in f64.
// JavaScript's `| 0`, of numbers that a quantizer has.
__device__ __forceinline__ int whole(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int)x : 0; }
__device__ __forceinline__ int nibble(double steps) {
  const int code = whole(__dadd_rn(steps, 8.5));
  return code < 0 ? 0 : code > 15 ? 15 : code;
}

// Of three roundings of a block, each with the scale that suits its codes best, that of least squared error.
__device__ __forceinline__ double bestScale(const Row &row, int from, int to, double peak) {
  const double inverses[3] = {__ddiv_rn(-8.75, peak), __ddiv_rn(-8.0, peak), __ddiv_rn(-7.25, peak)};
  double products[3] = {0.0, 0.0, 0.0}, squares[3] = {0.0, 0.0, 0.0}, gains[3];
  for (int i = from; i < to; i++) {
    const double w = row[i];
#pragma unroll
    for (int each = 0; each < 3; each++) {
      const double code = nibble(__dmul_rn(w, inverses[each])) - 8;
      products[each] = __dadd_rn(products[each], __dmul_rn(w, code));
      squares[each] = __dadd_rn(squares[each], __dmul_rn(code, code));
    }
  }
#pragma unroll
  for (int each = 0; each < 3; each++) gains[each] = __ddiv_rn(__dmul_rn(products[each], products[each]), squares[each]);
  const int best = gains[0] > gains[1] && gains[0] > gains[2] ? 0 : gains[1] >= gains[2] ? 1 : 2;
  return __ddiv_rn(best == 0 ? products[0] : best == 1 ? products[1] : products[2], best == 0 ? squares[0] : best == 1 ? squares[1] : squares[2]);
}

// Integers of BITS bits in blocks of BLOCK inputs, as MatMulNBits has them, and their scales, [rows, blocks]. A thread has a block. Grid (blocks of all rows / 128, rounded up), 128 threads.
extern "C" __global__ void __launch_bounds__(128) quantize(const u8 *source, const float *stored, u8 *packed, float *scales, int rows, int k, int lineBytes, int groupSize) {
  awaitPrevious();
  const int blocks = (k + BLOCK - 1) / BLOCK;
  const long long at = (long long)blockIdx.x * 128 + threadIdx.x;
  if (at >= (long long)rows * blocks) return;
  const Row row = rowOf(source, stored, (int)(at / blocks), k, lineBytes, groupSize);
  const int from = (int)(at % blocks) * BLOCK, to = from + BLOCK < k ? from + BLOCK : k;
  float least = 0.f, most = 0.f;
  for (int i = from; i < to; i++) {
    const float w = row[i];
    least = w < least ? w : least;
    most = w > most ? w : most;
  }
  const double peak = -least > most ? least : most;
  const float scale = peak == 0.0 ? 0.f : __double2float_rn(BITS == 4 ? bestScale(row, from, to, peak) : __ddiv_rn(peak, -128.0));
  const double inverse = __ddiv_rn(1.0, (double)scale);
  scales[at] = scale;
  u8 *bytes = packed + at * (BLOCK * BITS / 8);
  for (int i = 0; i < BLOCK; i += 8) {
    u32 words[2] = {0, 0};
#pragma unroll
    for (int j = 0; j < 8; j++) {
      int code = BITS == 4 ? 8 : 128;
      if (from + i + j < to && peak != 0.0) {
        const double steps = __dmul_rn((double)row[from + i + j], inverse);
        if (BITS == 4) code = nibble(steps);
        else code = whole(__dadd_rn(steps, 128.5));
        if (BITS == 8 && code > 255) code = 255;
      }
      if (BITS == 4) words[0] |= (u32)code << 4 * j;
      else words[j / 4] |= ((u32)code & 255u) << 8 * (j % 4);
    }
    if (BITS == 4) *(u32 *)(bytes + i / 2) = words[0];
    else *(uint2 *)(bytes + i) = uint2{words[0], words[1]};
  }
}
