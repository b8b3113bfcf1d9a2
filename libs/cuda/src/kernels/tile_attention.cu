// Attention among the rows of each tile, all to all: y [rows, HEADS * HEAD] as activations, of queries, keys and values side by side, [rows, 3 * HEADS * HEAD] f32. All in f32: a tile's scores are
// a sixteenth of its products. A block has 64 queries of a head, and brings 64 keys, and 64 values, at a time to shared memory; a thread has four queries and every sixteenth key, and then
// every sixteenth number of a head. Grid (rows of a tile / 64 rounded up, HEADS, tiles), 256 threads, SHARED_BYTES of memory.
constexpr int QUERIES = 64, KEYS = 64, ROW = HEAD + 4, SCORES = KEYS + 4, OWN = 4, ACROSS = 16, NUMBERS = (HEAD + ACROSS - 1) / ACROSS, UNITS = HEAD / 4;
constexpr int WIDTH = HEADS * HEAD;
constexpr float LOG2E = 1.4426950408889634f;
static_assert(HEAD % 8 == 0, "a head is read by four numbers, and rows of it lie in different banks");

__device__ __forceinline__ void bringRows(float *room, const float *from, int first, int count) {
  for (int unit = threadIdx.x; unit < KEYS * UNITS; unit += 256) {
    const int row = unit / UNITS, at = unit % UNITS * 4, wanted = first + row < count ? first + row : count - 1;
    copyAhead((uint4 *)(room + row * ROW + at), from + (long long)wanted * 3 * WIDTH + at);
  }
  endTurn();
}

extern "C" __global__ void __launch_bounds__(256, 2) attendTile(const float *qkv, Activation *y, int tileRows, int stride, float factor) {
  awaitPrevious();
  DYNAMIC_SHARED(uint4, room);
  float *const queries = (float *)room, *const keys = queries + QUERIES * ROW, *const values = keys + KEYS * ROW, *const weights = values + KEYS * ROW;
  const long long base = (long long)blockIdx.z * tileRows;
  const float *const own = qkv + base * 3 * WIDTH + blockIdx.y * HEAD;
  const int across = threadIdx.x % ACROSS, mine = threadIdx.x / ACROSS * OWN, firstQuery = blockIdx.x * QUERIES;
  float sums[OWN][NUMBERS] = {}, top[OWN], total[OWN];
#pragma unroll
  for (int i = 0; i < OWN; i++) top[i] = NONE, total[i] = 0.f;
  bringRows(queries, own, firstQuery, tileRows);
  bringRows(keys, own + WIDTH, 0, tileRows);
  for (int first = 0; first < tileRows; first += KEYS) {
    awaitTurns<0>();
    __syncthreads();
    bringRows(values, own + 2 * WIDTH, first, tileRows);
    float scores[OWN][4] = {};
#pragma unroll 2
    for (int d = 0; d < HEAD; d += 4) {
      float4 q[OWN], k[4];
#pragma unroll
      for (int i = 0; i < OWN; i++) q[i] = *(const float4 *)(queries + (mine + i) * ROW + d);
#pragma unroll
      for (int j = 0; j < 4; j++) k[j] = *(const float4 *)(keys + (across + ACROSS * j) * ROW + d);
#pragma unroll
      for (int i = 0; i < OWN; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) scores[i][j] += q[i].x * k[j].x + q[i].y * k[j].y + q[i].z * k[j].z + q[i].w * k[j].w;
    }
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      float best = top[i];
#pragma unroll
      for (int j = 0; j < 4; j++) {
        scores[i][j] = first + across + ACROSS * j < tileRows ? scores[i][j] * (factor * LOG2E) : NONE;
        best = fmaxf(best, scores[i][j]);
      }
#pragma unroll
      for (int step = ACROSS / 2; step > 0; step >>= 1) best = fmaxf(best, __shfl_xor_sync(ALL_LANES, best, step));
      const float fade = exp2f(top[i] - best);
      float all = 0.f;
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const float weight = exp2f(scores[i][j] - best);
        weights[(mine + i) * SCORES + across + ACROSS * j] = weight;
        all += weight;
      }
      top[i] = best;
      total[i] = total[i] * fade + all;
#pragma unroll
      for (int n = 0; n < NUMBERS; n++) sums[i][n] *= fade;
    }
    awaitTurns<0>();
    __syncthreads();
    if (first + KEYS < tileRows) bringRows(keys, own + WIDTH, first + KEYS, tileRows);
    for (int key = 0; key < KEYS; key += 4) {
      float4 w[OWN];
#pragma unroll
      for (int i = 0; i < OWN; i++) w[i] = *(const float4 *)(weights + (mine + i) * SCORES + key);
#pragma unroll
      for (int k = 0; k < 4; k++)
#pragma unroll
        for (int n = 0; n < NUMBERS; n++) {
          const int at = across + ACROSS * n;
          const float v = values[(key + k) * ROW + (at < HEAD ? at : 0)];
#pragma unroll
          for (int i = 0; i < OWN; i++) sums[i][n] += (k == 0 ? w[i].x : k == 1 ? w[i].y : k == 2 ? w[i].z : w[i].w) * v;
        }
    }
  }
#pragma unroll
  for (int i = 0; i < OWN; i++) {
#pragma unroll
    for (int step = ACROSS / 2; step > 0; step >>= 1) total[i] += __shfl_xor_sync(ALL_LANES, total[i], step);
    if (firstQuery + mine + i >= tileRows) continue;
    Activation *const to = y + (base + firstQuery + mine + i) * rowSize(stride);
#pragma unroll
    for (int n = 0; n < NUMBERS; n++)
      if (across + ACROSS * n < HEAD) putNumber(to, stride, blockIdx.y * HEAD + across + ACROSS * n, sums[i][n] / total[i]);
  }
}
