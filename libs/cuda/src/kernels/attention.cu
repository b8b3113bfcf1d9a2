// Attention of rows over the pages of their sequences, in parts of the positions that each sees, [firsts[row], positions[row]]: a part's sum of values, not yet divided,
// its greatest score (of base 2) and its sum of weights. A part has at least `least` positions, a multiple of 64, and there are at most PARTS_MAX: how a row's positions are cut does
// not depend on those of the rows beside it. The page of position p is table[starts[row] + p / PAGE_ROWS] + layer. A row whose position is negative sees nothing; the first row does not.
// o [rows, KV_HEADS * GROUP, parts, HEAD], ml [rows, KV_HEADS * GROUP, parts]. Grid (parts, KV_HEADS, rows), 128 threads: HEAD / 8 lanes share a position, each with
// eight numbers of the head; a team of them takes every TEAMS-th position, AHEAD of them at once.
constexpr int PARTS_MAX = 64, PART_UNIT = 64, LANES = HEAD / 8, TEAMS = 128 / LANES, AHEAD = sizeof(KV) == 4 ? 2 : 4;
static_assert(HEAD % 8 == 0 && (LANES & (LANES - 1)) == 0 && LANES <= 32, "a head has 8, 16, 32, 64, 128 or 256 numbers");

// The scale of what a team has read, which its first lane has.
__device__ __forceinline__ float teamScale(const Eight<float> &) { return 1.f; }
__device__ __forceinline__ float teamScale(const Eight<i16> &eight) { return __shfl_sync(ALL_LANES, scaleIn(eight), (threadIdx.x & 31) / LANES * LANES); }
__device__ __forceinline__ int partRows(int count, int least) {
  const int rows = (count + PARTS_MAX - 1) / PARTS_MAX;
  return rows <= least ? least : (rows + PART_UNIT - 1) / PART_UNIT * PART_UNIT;
}

extern "C" __global__ void __launch_bounds__(128, 3) attend(const float *q, const KV *pages, const int *table, const int *starts, const int *firsts, const int *positions, float *o, float2 *ml, int layer, int least, float factor) {
  const int part = blockIdx.x, kv = blockIdx.y, row = blockIdx.z, lane = threadIdx.x % LANES, team = threadIdx.x / LANES;
  // Where rows are was there before any kernel that this one may run beside.
  const int first = early(firsts + row), last = early(positions + row), count = last - first + 1, rows = partRows(count, least);
  const int from = first + part * rows, to = from + rows < first + count ? from + rows : first + count;
  // A block of the first row waits.
  if (last < 0 || from >= to) return;
  const int *pageOf = table + early(starts + row);
  const KV *own = pages + (long long)kv * HEAD + 8 * lane;
  constexpr long long VALUES = (long long)PAGE_ROWS * KV_HEADS * HEAD;
  const auto placeOf = [&](int position) {
    const long long page = pageOf[position / PAGE_ROWS] + layer;
    return own + (page * 2 * PAGE_ROWS + position % PAGE_ROWS) * KV_HEADS * HEAD;
  };
  for (int position = from + team; position < to && position < from + PART_UNIT; position += TEAMS) {
    const KV *at = placeOf(position);
    toCache(at), toCache(at + VALUES);
  }
  awaitPrevious();
  __shared__ float sums[TEAMS][GROUP][HEAD];
  __shared__ float2 marks[TEAMS][GROUP];
  float ask[GROUP][8], acc[GROUP][8], top[GROUP], weight[GROUP];
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
    const float *asked = q + (((long long)row * KV_HEADS + kv) * GROUP + g) * HEAD + 8 * lane;
    unpack16(asked, ask[g]), unpack16(asked + 4, ask[g] + 4);
    top[g] = NONE, weight[g] = 0.f;
#pragma unroll
    for (int i = 0; i < 8; i++) ask[g][i] *= factor * LOG2E, acc[g][i] = 0.f;
  }
  // Where the team's u-th position of a turn is. Positions behind the last are read as the last, and count nothing, so that all teams make the same number of turns.
  const auto keyOf = [&](int base, int u) {
    const int wanted = base + u * TEAMS + team;
    return placeOf(wanted < to ? wanted : to - 1);
  };
  Eight<KV> k[AHEAD], v[AHEAD];
  const KV *keys[AHEAD];
#pragma unroll
  for (int u = 0; u < AHEAD; u++) {
    const KV *at = keyOf(from, u);
    k[u] = readEight(at), v[u] = readEight(at + VALUES);
  }
  for (int base = from; base < to; base += TEAMS * AHEAD) {
    // What the next turn reads is on its way while this one is computed.
    const bool isLast = base + TEAMS * AHEAD >= to;
#pragma unroll
    for (int u = 0; u < AHEAD; u++)
      if (!isLast) keys[u] = keyOf(base + TEAMS * AHEAD, u);
    float score[AHEAD][GROUP];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      float numbers[8];
      numbersOf(k[u], lane == 0, numbers);
      const float scale = teamScale(k[u]);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        float sum = 0.f;
#pragma unroll
        for (int i = 0; i < 8; i++) sum += numbers[i] * ask[g][i];
#pragma unroll
        for (int step = LANES / 2; step > 0; step >>= 1) sum += __shfl_xor_sync(ALL_LANES, sum, step);
        score[u][g] = base + u * TEAMS + team < to ? sum * scale : NONE;
      }
      if (!isLast) k[u] = readEight(keys[u]);
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
      float best = top[g];
#pragma unroll
      for (int u = 0; u < AHEAD; u++) best = score[u][g] > best ? score[u][g] : best;
      // Behind the first turns the best is seldom another.
      if (__ballot_sync(ALL_LANES, best > top[g]) != 0) {
        const float fade = power2(top[g] - best);
        top[g] = best, weight[g] *= fade;
#pragma unroll
        for (int i = 0; i < 8; i++) acc[g][i] *= fade;
      }
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        score[u][g] = base + u * TEAMS + team < to ? power2(score[u][g] - best) : 0.f;
        weight[g] += score[u][g];
      }
    }
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      float numbers[8];
      numbersOf(v[u], lane == 0, numbers);
      const float scale = teamScale(v[u]);
#pragma unroll
      for (int g = 0; g < GROUP; g++) {
        const float share = score[u][g] * scale;
#pragma unroll
        for (int i = 0; i < 8; i++) acc[g][i] += share * numbers[i];
      }
      if (!isLast) v[u] = readEight(keys[u] + VALUES);
    }
  }
#pragma unroll
  for (int g = 0; g < GROUP; g++) {
#pragma unroll
    for (int i = 0; i < 8; i++) sums[team][g][8 * lane + i] = acc[g][i];
    if (lane == 0) marks[team][g] = make_float2(top[g], weight[g]);
  }
  __syncthreads();
  const long long out = ((long long)row * KV_HEADS + kv) * GROUP * gridDim.x + part;
  for (int i = threadIdx.x; i < GROUP * HEAD; i += blockDim.x) {
    const int g = i / HEAD, d = i % HEAD;
    float best = NONE, sum = 0.f, all = 0.f;
    for (int w = 0; w < TEAMS; w++) best = marks[w][g].x > best ? marks[w][g].x : best;
    for (int w = 0; w < TEAMS; w++) {
      const float share = power2(marks[w][g].x - best);
      sum += sums[w][g][d] * share;
      all += marks[w][g].y * share;
    }
    o[(out + (long long)g * gridDim.x) * HEAD + d] = sum;
    if (d == 0) ml[out + (long long)g * gridDim.x] = make_float2(best, all);
  }
}

// Brings a row's parts, of so many positions as `given` says, or as many as its own number makes of at least `least` where that is 0, together: y [rows, heads * HEAD] as activations, and where lse is not null the logarithm of the sum of weights, [rows, heads]. Grid (heads, rows), HEAD threads.
extern "C" __global__ void merge(const float *o, const float2 *ml, const int *firsts, const int *positions, Activation *y, float *lse, int parts, int given, int least, int stride) {
  letNextCome();
  __shared__ float shares[PARTS_MAX];
  const int row = blockIdx.y, last = early(positions + row), count = last - early(firsts + row) + 1, rows = given > 0 ? given : partRows(count, least);
  const int used = last < 0 ? 0 : (count + rows - 1) / rows;
  const long long head = (long long)row * gridDim.x + blockIdx.x, from = head * parts;
  awaitPrevious();
  float best = NONE, all = 0.f;
#pragma unroll 8
  for (int i = 0; i < used; i++) best = ml[from + i].x > best ? ml[from + i].x : best;
  for (int i = threadIdx.x; i < used; i += HEAD) shares[i] = power2(ml[from + i].x - best);
  __syncthreads();
  float sum = 0.f;
#pragma unroll 8
  for (int i = 0; i < used; i++) {
    sum += o[(from + i) * HEAD + threadIdx.x] * shares[i];
    all += ml[from + i].y * shares[i];
  }
  putNumber(y + row * rowSize(stride), stride, blockIdx.x * HEAD + threadIdx.x, used > 0 ? sum / all : 0.f);
  if (lse && threadIdx.x == 0) lse[head] = used > 0 ? best / LOG2E + logf(all) : NONE;
}
