// The same attention as tile_attention.cu's, y as sums of two f16, by matrix instructions of one warp: queries, keys and values are sums of two f16 as turn_heads.cu leaves them, [rows, 3 * HEADS * HEAD],
// of each eight numbers the first terms and then the second ones; so are weights. The smallest of a product's four is left out; scores and sums are f32. A block has 64 queries of a head, a warp 16 of
// them, in registers; 64 keys, and 64 values, are brought to shared memory at a time. Grid (rows of a tile / 64 rounded up, HEADS, tiles), 128 threads, BLOCKS blocks a multiprocessor, 2 KEY_BYTES of shared memory.
constexpr int QUERIES = 64, KEYS = 64, UNITS = HEAD / 8, STEPS = (UNITS + 1) / 2, WIDTH = HEADS * HEAD, BATCH = 4;
// Units of eight numbers take 32 bytes; an odd number of 16 bytes keeps rows apart in banks.
constexpr int UNIT_BYTES = 32, ROW_BYTES = UNITS * UNIT_BYTES + 16, KEY_BYTES = KEYS * ROW_BYTES;
static_assert(HEAD % 8 == 0 && HEAD <= 128, "a head is units of eight numbers");
static_assert(TERMS == 2, "rows are sums of two f16");

__device__ __forceinline__ void bringRows(u8 *room, const u8 *from, int first, int count) {
  for (int i = threadIdx.x; i < KEYS * 2 * UNITS; i += 128) {
    const int row = i / (2 * UNITS), at = i % (2 * UNITS) * 16, wanted = first + row < count ? first + row : count - 1;
    copyAhead((uint4 *)(room + row * ROW_BYTES + at), from + (long long)wanted * 3 * WIDTH * 4 + at);
  }
  endTurn();
}

// A warp's queries: its lane's operands of both terms.
struct Queries {
  u32 terms[2][STEPS][4];

  __device__ __forceinline__ void read(const u8 *from, int first, int count) {
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = first + lane / 4 + i % 2 * 8, wanted = row < count ? row : count - 1;
      const u8 *at = from + (long long)wanted * 3 * WIDTH * 4 + i / 2 * UNIT_BYTES + lane % 4 * 4;
#pragma unroll
      for (int s = 0; s < STEPS; s++)
#pragma unroll
        for (int term = 0; term < 2; term++) terms[term][s][i] = 2 * s + i / 2 < UNITS ? *(const u32 *)(at + 2 * s * UNIT_BYTES + 16 * term) : 0u;
    }
  }
};

// c [16 queries, KEYS] = the queries' scores with the first `left` keys, without their factor.
__device__ __forceinline__ void score(float (*c)[4], const Queries &queries, const u8 *keys, int left) {
#pragma unroll
  for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) c[j][i] = 0.f;
#pragma unroll
  for (int first = 0; first < KEYS / 8; first += BATCH) {
    if (8 * first >= left) break;
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
      u32 b[BATCH][4];
#pragma unroll
      for (int j = 0; j < BATCH; j++) {
        readAlong(b[j], keys + 8 * (first + j) * ROW_BYTES + 2 * s * UNIT_BYTES, ROW_BYTES);
        if (2 * s + 1 >= UNITS) b[j][2] = b[j][3] = 0u;
      }
      // Sums of one kind lie apart, so that none waits for the one before it.
#pragma unroll
      for (int j = 0; j < BATCH; j++) multiplyAdd(c[first + j], queries.terms[1][s], b[j][0], b[j][2]);
#pragma unroll
      for (int j = 0; j < BATCH; j++) multiplyAdd(c[first + j], queries.terms[0][s], b[j][1], b[j][3]);
#pragma unroll
      for (int j = 0; j < BATCH; j++) multiplyAdd(c[first + j], queries.terms[0][s], b[j][0], b[j][2]);
    }
  }
}

// Scores of `left` keys become weights; the greatest score, with the factor, and the sum of each of the lane's two queries go on, and so does what their sums so far are multiplied by.
__device__ __forceinline__ void weigh(float (*c)[4], float *top, float *sum, float *fade, int left, float factor) {
  const int column = 2 * (threadIdx.x & 3);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float best = NONE;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float &own = c[j][2 * half + i];
        own = column + 8 * j + i < left ? own * factor : NONE;
        best = fmaxf(own, best);
      }
#pragma unroll
    for (int step = 1; step < 4; step <<= 1) {
      const float other = __shfl_xor_sync(ALL_LANES, best, step);
      best = fmaxf(other, best);
    }
    best = fmaxf(top[half], best);
    fade[half] = power2(top[half] - best);
    top[half] = best;
    float all = 0.f;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float &own = c[j][2 * half + i];
        own = power2(own - best + SHIFT);
        all += own;
      }
    sum[half] = sum[half] * fade[half] + all;
  }
}

// out [16 queries, HEAD] += weights times the first `left` values.
__device__ __forceinline__ void gather(float (*out)[4], const float (*weights)[4], const u8 *values, int left) {
#pragma unroll
  for (int k = 0; k < KEYS / 16; k++) {
    if (16 * k >= left) break;
    u32 upper[4], lower[4];
#pragma unroll
    for (int i = 0; i < 4; i++) twoTerms(weights[2 * k + i / 2][i % 2 * 2], weights[2 * k + i / 2][i % 2 * 2 + 1], upper[i], lower[i]);
#pragma unroll
    for (int first = 0; first < UNITS; first += BATCH) {
      u32 b[BATCH][4];
#pragma unroll
      for (int d = 0; d < BATCH; d++)
        if (first + d < UNITS) readAcross(b[d], values + 16 * k * ROW_BYTES + (first + d) * UNIT_BYTES, ROW_BYTES);
#pragma unroll
      for (int d = 0; d < BATCH; d++)
        if (first + d < UNITS) multiplyAdd(out[first + d], lower, b[d][0], b[d][1]);
#pragma unroll
      for (int d = 0; d < BATCH; d++)
        if (first + d < UNITS) multiplyAdd(out[first + d], upper, b[d][2], b[d][3]);
#pragma unroll
      for (int d = 0; d < BATCH; d++)
        if (first + d < UNITS) multiplyAdd(out[first + d], upper, b[d][0], b[d][1]);
    }
  }
}

extern "C" __global__ void __launch_bounds__(128, BLOCKS) attendSplit(const u8 *qkv, Activation *y, int tileRows, int stride, float factor) {
  awaitPrevious();
  DYNAMIC_SHARED(uint4, room);
  u8 *const keys = (u8 *)room, *const values = keys + KEY_BYTES;
  const long long base = (long long)blockIdx.z * tileRows;
  const u8 *const own = qkv + (base * 3 * WIDTH + blockIdx.y * HEAD) * 4;
  const int lane = threadIdx.x & 31, t = lane & 3, firstQuery = blockIdx.x * QUERIES + threadIdx.x / 32 * 16;
  // A warp behind the tile's last row only brings.
  const bool isIdle = firstQuery >= tileRows;
  float out[UNITS][4] = {}, top[2] = {NONE, NONE}, sum[2] = {0.f, 0.f}, fade[2];
  bringRows(keys, own + 4 * WIDTH, 0, tileRows);
  Queries queries;
  queries.read(own, firstQuery, tileRows);
  for (int first = 0; first < tileRows; first += KEYS) {
    const int left = tileRows - first;
    float c[KEYS / 8][4];
    awaitTurns<0>();
    __syncthreads();
    bringRows(values, own + 8 * WIDTH, first, tileRows);
    if (!isIdle) {
      score(c, queries, keys, left);
      weigh(c, top, sum, fade, left, factor * LOG2E);
#pragma unroll
      for (int d = 0; d < UNITS; d++)
#pragma unroll
        for (int i = 0; i < 4; i++) out[d][i] *= fade[i / 2];
    }
    awaitTurns<0>();
    __syncthreads();
    if (left > KEYS) bringRows(keys, own + 4 * WIDTH, first + KEYS, tileRows);
    if (!isIdle) gather(out, c, values, left);
  }
  if (isIdle) return;
#pragma unroll
  for (int half = 0; half < 2; half++)
#pragma unroll
    for (int step = 1; step < 4; step <<= 1) sum[half] += __shfl_xor_sync(ALL_LANES, sum[half], step);
  // Neighbouring lanes exchange pairs: each then has four numbers of one query, the first of the lane's two where t is even.
  const bool isOdd = t & 1;
  const int query = firstQuery + lane / 4 + 8 * isOdd;
  const float share = 1.f / (isOdd ? sum[1] : sum[0]);
  Activation *const to = y + (base + query) * rowSize(stride);
#pragma unroll
  for (int d = 0; d < UNITS; d++) {
    const float givenX = __shfl_xor_sync(ALL_LANES, isOdd ? out[d][0] : out[d][2], 1), givenY = __shfl_xor_sync(ALL_LANES, isOdd ? out[d][1] : out[d][3], 1);
    float4 four = isOdd ? make_float4(givenX, givenY, out[d][2], out[d][3]) : make_float4(out[d][0], out[d][1], givenX, givenY);
    four.x *= share, four.y *= share, four.z *= share, four.w *= share;
    if (query < tileRows) putFour<>(to, stride, blockIdx.y * HEAD + 8 * d + t / 2 * 4, four);
  }
}
