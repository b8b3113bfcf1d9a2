// Attention of the rows of prompts over the pages of their sequence, on Hopper: a tile of up to TILE_ROWS neighbouring rows of one sequence, with all heads of a group, is 128
// queries, and each key and value that it reads is read once for all of them. The rows of a tile see positions from the same one on. What is multiplied, queries, keys, weights
// and values, is the sum of two f16, whose smallest product is left out; scores and sums are f32. A tile is its first row times 256 and how many rows it has. Page tables are as in
// attention.cu. A part has partRows positions, a multiple of 64. Of one part alone, y [rows, heads * HEAD] as activations, and where lse is not null the logarithm
// of the sum of weights, [rows, heads]; of several, sums of values that are not divided, greatest scores and sums of weights for attention.cu's `merge`.
// Grid (tiles, KV_HEADS, parts), 512 threads: two groups of 64 queries each, one that brings keys and one that brings values; SHARED_BYTES of memory.
constexpr int QUERIES = 128, KEYS = 64, SLABS = (HEAD + 63) / 64, WIDTH = 64 * SLABS, UNITS = HEAD / 8, STAGES = 2;
constexpr int THREADS = 512, GROUP_THREADS = 128;
// A slab of all queries, and one of a turn's keys or values; terms are behind each other.
constexpr int QUERY_SLAB = QUERIES * SLAB_ROW, KEY_SLAB = KEYS * SLAB_ROW, TURN_BYTES = 2 * SLABS * KEY_SLAB, SHARED_BYTES = 2 * SLABS * QUERY_SLAB + 2 * STAGES * TURN_BYTES;
// Barriers: a stage's keys, or values, are there for one of the groups; and both have read them. Groups do not wait for each other, so that one's products run beside the other's weights.
constexpr int FILLED = 1, EMPTIED = 1 + 4 * STAGES, PAIR = 2 * GROUP_THREADS, TRIPLE = 3 * GROUP_THREADS;
// Of a thread that brings, and of one that multiplies.
constexpr int BRINGER_REGISTERS = 96, READER_REGISTERS = 160;
static_assert(HEAD % 8 == 0 && (UNITS & (UNITS - 1)) == 0 && HEAD <= 128, "a head has 8, 16, 32, 64 or 128 numbers");
static_assert(GROUP <= QUERIES, "a row's queries of a head are in one tile");

// Eight numbers to unit `unit` of a row of slabs; the second term is `term` bytes behind.
__device__ __forceinline__ void putUnit(u8 *slabs, int slabBytes, int term, int row, int unit, const float *x) {
  uint4 upper, lower;
  twoTerms(x[0], x[1], upper.x, lower.x), twoTerms(x[2], x[3], upper.y, lower.y), twoTerms(x[4], x[5], upper.z, lower.z), twoTerms(x[6], x[7], upper.w, lower.w);
  uint4 *at = (uint4 *)(slabs + unit / 8 * slabBytes) + unitAt(row, unit % 8);
  *at = upper, *(uint4 *)((u8 *)at + term) = lower;
}

// A group that brings the keys, or the values, of positions [from, to): of those behind the last in a turn, the last one's. A thread has a unit of every so manyth position; what it
// puts next is on its way while it waits for room and puts what it has.
struct Bringer {
  const KV *pages;
  const int *pageOf;
  u8 *stages;
  int from, to, layer, unit, turn, firstPlace;
  bool isValue;
  static constexpr int EACH = GROUP_THREADS / UNITS < KEYS ? GROUP_THREADS / UNITS : KEYS, STEPS = KEYS / EACH, BATCH = STEPS < 4 ? STEPS : 4, BATCHES = STEPS / BATCH;

  __device__ __forceinline__ void read(Eight<KV> *into, int first) const {
#pragma unroll
    for (int i = 0; i < BATCH; i++) {
      const int wanted = first + i * EACH + turn, position = wanted < to ? wanted : to - 1;
      const long long page = pageOf[position / PAGE_ROWS] + layer;
      into[i] = readEight(pages + ((page * 2 + isValue) * PAGE_ROWS + position % PAGE_ROWS) * KV_HEADS * HEAD);
    }
  }
  __device__ __forceinline__ void put(u8 *slabs, const Eight<KV> *own, int first) const {
#pragma unroll
    for (int i = 0; i < BATCH; i++) {
      float numbers[8];
      numbersOf(own[i], unit == 0, numbers);
      if (sizeof(KV) == 2) {
        const float scale = __shfl_sync(ALL_LANES, scaleIn(own[i]), (threadIdx.x & 31) / UNITS * UNITS);
#pragma unroll
        for (int j = 0; j < 8; j++) numbers[j] *= scale;
      }
#pragma unroll
      for (int j = 0; j < 8; j++) numbers[j] = clamped(numbers[j]);
      if (turn < EACH) putUnit(slabs, KEY_SLAB, SLABS * KEY_SLAB, first + i * EACH + turn, unit, numbers);
    }
  }
  __device__ __forceinline__ void run() const {
    Eight<KV> next[BATCH], now[BATCH];
    read(next, from);
    for (int base = from, i = 0; base < to; base += KEYS, i++) {
      const int place = firstPlace + i % STAGES;
#pragma unroll
      for (int batch = 0; batch < BATCHES; batch++) {
#pragma unroll
        for (int j = 0; j < BATCH; j++) now[j] = next[j];
        // Behind the last turn it is the last position again.
        read(next, base + (batch + 1) * BATCH * EACH);
        if (batch == 0 && i >= STAGES) meet(EMPTIED + place, TRIPLE);
        put(stages + place * TURN_BYTES, now, batch * BATCH * EACH);
      }
      publishSlabs();
      for (int reader = 0; reader < 2; reader++) announce(FILLED + 2 * place + reader, PAIR);
    }
  }
};

// c [64 queries, KEYS] = the queries' scores, without their factor.
__device__ __forceinline__ void score(float *c, Slab queries, Slab keys) {
#pragma unroll
  for (int i = 0; i < KEYS / 2; i++) c[i] = 0.f;
  pin<KEYS / 2>(c);
  beginProducts();
#pragma unroll
  for (int k = 0; k < WIDTH; k += 16) {
    const Slab q = queries.behind(k / 64 * QUERY_SLAB + k % 64 * 2), at = keys.behind(k / 64 * KEY_SLAB + k % 64 * 2);
    multiplySlabs<KEYS>(c, q.behind(SLABS * QUERY_SLAB), at);
    multiplySlabs<KEYS>(c, q, at.behind(SLABS * KEY_SLAB));
    multiplySlabs<KEYS>(c, q, at);
  }
  endProducts();
}

// Scores become weights; the greatest score, without the factor, and the sum of each of the lane's two queries go on, and what their sums so far are to be multiplied by is left in fade.
__device__ __forceinline__ void weigh(float *c, float *top, float *sum, float *fade, const int *last, int base, bool isCut, float factor) {
  const int column = base + 2 * (threadIdx.x & 3);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float best = NONE;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float &own = c[4 * j + 2 * half + i];
        if (isCut && column + 8 * j + i > last[half]) own = NONE;
        best = fmaxf(own, best);
      }
#pragma unroll
    for (int step = 1; step < 4; step <<= 1) {
      const float other = __shfl_xor_sync(ALL_LANES, best, step);
      best = fmaxf(other, best);
    }
    best = fmaxf(top[half], best);
    fade[half] = power2((top[half] - best) * factor);
    top[half] = best;
    const float behind = SHIFT - best * factor;
    float all = 0.f;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float &own = c[4 * j + 2 * half + i];
        own = power2(own * factor + behind);
        all += own;
      }
    sum[half] = sum[half] * fade[half] + all;
  }
}

// out [64 queries, WIDTH] += weights times values.
__device__ __forceinline__ void gather(float *out, const float *weights, Slab values) {
  u32 upper[KEYS / 16][4], lower[KEYS / 16][4];
#pragma unroll
  for (int k = 0; k < KEYS / 16; k++)
#pragma unroll
    for (int i = 0; i < 4; i++) twoTerms(weights[8 * k + 2 * i], weights[8 * k + 2 * i + 1], upper[k][i], lower[k][i]);
  pin<WIDTH / 2>(out);
  beginProducts();
#pragma unroll
  for (int k = 0; k < KEYS / 16; k++) {
    const Slab at = values.behind(16 * k * SLAB_ROW);
    multiplyAcross<WIDTH, KEY_SLAB>(out, lower[k], at);
    multiplyAcross<WIDTH, KEY_SLAB>(out, upper[k], at.behind(SLABS * KEY_SLAB));
    multiplyAcross<WIDTH, KEY_SLAB>(out, upper[k], at);
  }
  endProducts();
}

// A tile, and where what it attends to lies and goes.
struct Tile {
  const int *positions;
  Activation *y;
  float *lse, *o;
  float2 *ml;
  const u8 *queries, *turns;
  int row, count, kv, group, from, to, stride;
  float factor;
};
// What a group of 64 queries attends to.
__device__ __forceinline__ void attendGroup(const Tile &tile) {
  const int row = tile.row, count = tile.count, group = tile.group;
  const int lane = threadIdx.x & 31, m = 64 * group + 16 * (threadIdx.x >> 5 & 3) + lane / 4, t = lane & 3;
  int last[2];
#pragma unroll
  for (int half = 0; half < 2; half++) last[half] = (m + 8 * half) / GROUP < count ? tile.positions[row + (m + 8 * half) / GROUP] : -1;
  const int uncut = tile.positions[row] + 1 < tile.to ? tile.positions[row] + 1 : tile.to;
  const bool isOdd = t & 1;
  float out[WIDTH / 2] = {}, top[2] = {NONE, NONE}, sum[2] = {0.f, 0.f}, fade[2];
  const Slab own = slabAt(tile.queries + 64 * group * SLAB_ROW);
  for (int base = tile.from, i = 0; base < tile.to; base += KEYS, i++) {
    const int place = i % STAGES;
    const bool isReused = base + STAGES * KEYS < tile.to;
    float c[KEYS / 2];
    meet(FILLED + 2 * place + group, PAIR);
    score(c, own, slabAt(tile.turns + place * TURN_BYTES));
    awaitProducts<0>();
    pin<KEYS / 2>(c);
    if (isReused) announce(EMPTIED + place, TRIPLE);
    weigh(c, top, sum, fade, last, base, base + KEYS > uncut, tile.factor * LOG2E);
#pragma unroll
    for (int j = 0; j < WIDTH / 2; j++) out[j] *= fade[j / 2 % 2];
    meet(FILLED + 2 * (STAGES + place) + group, PAIR);
    gather(out, c, slabAt(tile.turns + (STAGES + place) * TURN_BYTES));
    awaitProducts<0>();
    pin<WIDTH / 2>(out);
    if (isReused) announce(EMPTIED + STAGES + place, TRIPLE);
  }
#pragma unroll
  for (int half = 0; half < 2; half++)
#pragma unroll
    for (int step = 1; step < 4; step <<= 1) sum[half] += __shfl_xor_sync(ALL_LANES, sum[half], step);
  // Neighbouring lanes exchange pairs: each then has four numbers of one query, the first of the lane's two where t is even.
  const int query = m + 8 * isOdd, ownRow = row + query / GROUP, head = tile.kv * GROUP + query % GROUP;
  const bool isThere = query / GROUP < count;
  const float best = (isOdd ? top[1] : top[0]) * tile.factor * LOG2E, all = isOdd ? sum[1] : sum[0];
  const bool isWhole = gridDim.z == 1;
  const float share = isWhole ? 1.f / all : exp2f(-SHIFT);
  const long long place = ((long long)ownRow * KV_HEADS * GROUP + head) * gridDim.z + blockIdx.z;
#pragma unroll
  for (int j = 0; j < HEAD / 8; j++) {
    const float givenX = __shfl_xor_sync(ALL_LANES, isOdd ? out[4 * j] : out[4 * j + 2], 1), givenY = __shfl_xor_sync(ALL_LANES, isOdd ? out[4 * j + 1] : out[4 * j + 3], 1);
    float4 four = isOdd ? make_float4(givenX, givenY, out[4 * j + 2], out[4 * j + 3]) : make_float4(out[4 * j], out[4 * j + 1], givenX, givenY);
    four.x *= share, four.y *= share, four.z *= share, four.w *= share;
    const int d = 8 * j + 4 * (t / 2);
    if (!isThere) continue;
    if (isWhole) putFour<>(tile.y + ownRow * rowSize(tile.stride), tile.stride, head * HEAD + d, four);
    else *(float4 *)(tile.o + place * HEAD + d) = four;
  }
  if (!isThere || t >= 2) return;
  if (!isWhole) tile.ml[place] = make_float2(best, all * exp2f(-SHIFT));
  else if (tile.lse) tile.lse[(long long)ownRow * KV_HEADS * GROUP + head] = (best - SHIFT) / LOG2E + logf(all);
}

extern "C" __global__ void __launch_bounds__(512, 1) attendTiles(const float *q, const KV *pages, const int *table, const int *starts, const int *firsts, const int *positions, const int *tiles, Activation *y, float *lse, float *o, float2 *ml, int layer, int partRows, int stride, float factor) {
  awaitPrevious();
  const int tile = tiles[blockIdx.x], row = tile >> 8, count = tile & 255, kv = blockIdx.y, group = threadIdx.x >> 7;
  const int end = positions[row + count - 1] + 1, from = firsts[row] + (int)blockIdx.z * partRows, to = from + partRows < end ? from + partRows : end;
  if (from >= to) return;
  DYNAMIC_SHARED(uint4, room);
  u8 *const queries = firstSlab(room), *const turns = queries + 2 * SLABS * QUERY_SLAB;
  if (HEAD < WIDTH) {
    for (int i = threadIdx.x; i < SHARED_BYTES / 16; i += THREADS) ((uint4 *)queries)[i] = make_uint4(0, 0, 0, 0);
    __syncthreads();
  }
  for (int i = threadIdx.x; i < QUERIES * UNITS; i += THREADS) {
    const int m = i / UNITS, unit = i % UNITS;
    float x[8] = {};
    if (m < count * GROUP) {
      const float *own = q + ((long long)(row + m / GROUP) * KV_HEADS * GROUP + kv * GROUP + m % GROUP) * HEAD + 8 * unit;
      unpack16(own, x), unpack16(own + 4, x + 4);
#pragma unroll
      for (int j = 0; j < 8; j++) x[j] = clamped(x[j]);
    }
    putUnit(queries, QUERY_SLAB, SLABS * QUERY_SLAB, m, unit, x);
  }
  publishSlabs();
  __syncthreads();
  // Keys and values of turn i lie at stage i % STAGES, values behind all keys.
  if (group >= 2) {
    giveRegisters<BRINGER_REGISTERS>();
    const int thread = threadIdx.x % GROUP_THREADS, unit = thread % UNITS;
    Bringer{pages + (long long)kv * HEAD + 8 * unit, table + starts[row], turns, from, to, layer, unit, thread / UNITS, group == 2 ? 0 : STAGES, group == 3}.run();
  } else {
    takeRegisters<READER_REGISTERS>();
    attendGroup(Tile{positions, y, lse, o, ml, queries, turns, row, count, kv, group, from, to, stride, factor});
  }
}
