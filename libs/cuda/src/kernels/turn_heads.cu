// Queries, keys and values of tiles' rows, [rows, 3 * WIDTH], in place: with their bias, and pairs of neighbours of queries and keys turned by their row's angles (cosine and sine,
// [rows of a tile, HEAD / 2]). With two TERMS they become sums of two f16: of each eight numbers the first terms and then the second ones, in the same 32 bytes.
// A thread has eight numbers. Grid (rows * 3 * WIDTH / 2048 rounded up), 256 threads.
constexpr int UNITS = 3 * WIDTH / 8;
static_assert(WIDTH % 8 == 0 && HEAD % 8 == 0, "heads are units of eight numbers");

extern "C" __global__ void __launch_bounds__(256) turnHeads(float *qkv, const float *bias, const float4 *angles, int tileRows, int rowCount) {
  awaitPrevious();
  const int all = blockIdx.x * 256 + threadIdx.x, row = all / UNITS, unit = all % UNITS;
  if (row >= rowCount) return;
  float *at = qkv + (long long)row * 3 * WIDTH + 8 * unit;
  float own[8], more[8];
  unpack16(at, own), unpack16(at + 4, own + 4);
  unpack16(bias + 8 * unit, more), unpack16(bias + 8 * unit + 4, more + 4);
#pragma unroll
  for (int i = 0; i < 8; i++) own[i] += more[i];
  if (unit < 2 * WIDTH / 8) {
    const float4 *turns = angles + ((long long)(row % tileRows) * HEAD + 8 * unit % HEAD) / 4;
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
      const float4 turn = turns[i / 4];
      const float x = own[i], z = own[i + 2];
      own[i] = x * turn.x - own[i + 1] * turn.y, own[i + 1] = x * turn.y + own[i + 1] * turn.x;
      own[i + 2] = z * turn.z - own[i + 3] * turn.w, own[i + 3] = z * turn.w + own[i + 3] * turn.z;
    }
  }
#if TERMS == 0
  *(float4 *)at = make_float4(own[0], own[1], own[2], own[3]), *(float4 *)(at + 4) = make_float4(own[4], own[5], own[6], own[7]);
#else
  u32 upper[4], lower[4];
#pragma unroll
  for (int i = 0; i < 4; i++) twoTerms(clamped(own[2 * i]), clamped(own[2 * i + 1]), upper[i], lower[i]);
  *(uint4 *)at = make_uint4(upper[0], upper[1], upper[2], upper[3]), *(uint4 *)(at + 4) = make_uint4(lower[0], lower[1], lower[2], lower[3]);
#endif
}
