// The same products as few_rows.cu's for many rows, on Hopper: a block has a job of up to ROWS rows, 64 or 128. A group of warps brings rows and weights to shared memory, 64 SLABS inputs
// a turn and up to STAGES turns ahead; each of two groups of four warps has 64 TILES outputs, 16 TILES a warp: other ones than the other group (OUT_GROUPS 2), or the same of every second turn
// (1). It brings their weights to the registers that instructions of four warps (group.cuh) multiply rows from, the next 64 inputs' while these are multiplied. Of integers a scale of its own
// goes with each BLOCK inputs: sums are kept over the last one's scale. Blocks that lie behind each other have up to BAND jobs and then the next outputs, so that what they read is in the
// cache. Of few rows and outputs SPLIT neighbouring blocks, a cluster, have the same outputs of a part of the inputs each: rows are read by so many blocks less, and each block adds the sums of
// all, in their order, for some of the rows. Grid (jobs * (tiles / BLOCK_TILES rounded up) * SPLIT), 384 threads, STAGES STAGE_BYTES and 1 KiB of shared memory.
// A group's warp: TILES tiles times N rows.
template <int N> struct Multiplier {
  const u8 *stages;
  const float2 *scales[TILES];
  int group, turns;
  float sums[TILES][N / 2];
  Unit units[TILES];
  float2 next[TILES];

  __device__ __forceinline__ int filled(int turn) const { return FILLED + (OUT_GROUPS == 1 ? turn % STAGES : 2 * (turn % STAGES) + group); }

  __device__ __forceinline__ void load(u32 (&a)[TILES][4][4], int turn, int slab) const {
    const uint4 *at = (const uint4 *)(stages + turn % STAGES * STAGE_BYTES + TILES_AT) + (OUT_GROUPS == 1 ? threadIdx.x >> 5 & 3 : threadIdx.x >> 5) * TILES * TURN_WORDS + slab * WORDS * 32 + (threadIdx.x & 31);
#pragma unroll
    for (int m = 0; m < TILES; m++) {
      uint4 words[WORDS];
#pragma unroll
      for (int i = 0; i < WORDS; i++) words[i] = at[m * TURN_WORDS + 32 * i];
#pragma unroll
      for (int s = 0; s < 4; s++) operands(words, s, a[m][s]);
    }
  }
  // Before inputs whose scale is the next; that of input `after` comes then.
  __device__ __forceinline__ void rescale(int after) {
#pragma unroll
    for (int m = 0; m < TILES; m++) {
      const float share[2] = {units[m].next(0, next[m].x), units[m].next(1, next[m].y)};
#pragma unroll
      for (int i = 0; i < N / 2; i++) sums[m][i] *= share[i / 2 % 2];
#if BLOCK > 0
      if (after < TURN * turns) next[m] = __ldg(scales[m] + after / BLOCK * 8);
#endif
    }
  }
  __device__ __forceinline__ void multiply(u32 (&a)[TILES][4][4], u32 (&after)[TILES][4][4], int turn, int slab) {
    const Slab rows = slabAt(stages + turn % STAGES * STAGE_BYTES + slab * ROW_BYTES);
    const bool isInner = slab + 1 < SLABS;
    const int nextTurn = isInner ? turn : turn + STEP;
#pragma unroll
    for (int run = 0; run < RUNS; run++) {
#if BLOCK > 0
      const int input = TURN * turn + 64 * slab + 32 * run;
      if (input % BLOCK == 0) rescale(STEP == 1 || input + BLOCK < TURN * (turn + 1) ? input + BLOCK : TURN * (turn + STEP));
#endif
#pragma unroll
      for (int m = 0; m < TILES; m++) pin<N / 2>(sums[m]);
      beginProducts();
#pragma unroll
      for (int s = STEPS * run; s < STEPS * run + STEPS; s++)
#pragma unroll
        for (int m = 0; m < TILES; m++) {
          multiplyAlong<N>(sums[m], a[m][s], rows.behind(32 * s));
          multiplyAlong<N>(sums[m], a[m][s], rows.behind(32 * s + TERM_BYTES));
        }
      endProducts();
      if (run + 1 == RUNS && nextTurn < turns) {
        if (!isInner) meet(filled(nextTurn), PAIR);
        load(after, nextTurn, isInner ? slab + 1 : 0);
      }
      awaitProducts<0>();
#pragma unroll
      for (int m = 0; m < TILES; m++) pin<N / 2>(sums[m]);
    }
    if (!isInner && turn + STAGES < turns) announce(EMPTIED + turn % STAGES, EMPTYING);
  }
  __device__ __forceinline__ void run() {
    const int first = OUT_GROUPS == 1 ? group : 0;
    u32 even[TILES][4][4], odd[TILES][4][4];
#pragma unroll
    for (int m = 0; m < TILES; m++) {
#pragma unroll
      for (int i = 0; i < N / 2; i++) sums[m][i] = 0.f;
      units[m] = Unit{{0.f, 0.f}, {0.f, 0.f}};
    }
    // Of one turn the second group has none.
    if (first >= turns) return;
#if BLOCK > 0
#pragma unroll
    for (int m = 0; m < TILES; m++) next[m] = __ldg(scales[m] + TURN * first / BLOCK * 8);
#endif
    meet(filled(first), PAIR);
    load(even, first, 0);
    for (int turn = first; turn < turns; turn += SLABS == 2 ? STEP : 2 * STEP) {
      multiply(even, odd, turn, 0);
      if (SLABS == 2) multiply(odd, even, turn, 1);
      else if (turn + STEP < turns) multiply(odd, even, turn + STEP, 0);
    }
  }
};

// Where sums go: rows of y, from a group's first tile on.
struct Target {
  Output *y;
  const float *rowScales;
  int fold, n, yStride, tile, part;
  float factor;

  // Numbers of a row of sums: of one group, or of both, and of all blocks of a cluster.
  static __device__ __forceinline__ float4 fourAt(const float *sums) {
    float4 all = clusterFour<SPLIT>(sums, 0);
#pragma unroll
    for (int i = 1; i < SPLIT * STEP; i++) all = sumOf(all, clusterFour<SPLIT>(sums + i % STEP * ROWS * SUMS, i / STEP));
    return all;
  }
  // Four numbers of a row.
  __device__ __forceinline__ void put(const float *sums, int row, int four) const {
#if GATED
    const int at = four / 4 * 32 + four % 4 * 4, own = 8 * tile + 4 * four;
    if (own >= n / 2) return;
    const float scale = rowScales && (fold == 0 || row < fold) ? rowScales[row] : 1.f;
    const float4 gates = fourAt(sums + at), ups = fourAt(sums + at + 16);
    const auto bent = [&](float gate, float up) {
      gate *= scale, up *= scale;
      return factor * (gate / (1.f + expf(-gate)) * up);
    };
    putFour<>(y + row * rowSize(yStride), yStride, own, make_float4(bent(gates.x, ups.x), bent(gates.y, ups.y), bent(gates.z, ups.z), bent(gates.w, ups.w)));
#else
    const int own = 16 * tile + 4 * four;
    const float4 all = fourAt(sums + 4 * four);
    const float each[4] = {all.x, all.y, all.z, all.w};
    float *to = y + (long long)row * yStride + own;
    if (own + 4 <= n && yStride % 4 == 0) *(float4 *)to = make_float4(factor * each[0], factor * each[1], factor * each[2], factor * each[3]);
    else
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (own + i < n) to[i] = factor * each[i];
#endif
  }
};
template <int N> __device__ __forceinline__ void finish(const Multiplier<N> &own, const Target &to, float *room, const int *rows, int count) {
  const int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3, warp = threadIdx.x >> 5 & 3;
  float *sums = room + own.group * ROWS * SUMS;
  // Both groups have multiplied what lies where sums go.
  meet(ENDED, PAIR);
#pragma unroll
  for (int m = 0; m < TILES; m++) {
    const float2 scale = BLOCK > 0 ? make_float2(own.units[m].now[0], own.units[m].now[1]) : __ldg(own.scales[m]);
#pragma unroll
    for (int j = 0; j < N / 8; j++)
#pragma unroll
      for (int i = 0; i < 4; i++) sums[(8 * j + 2 * t + i % 2) * SUMS + 16 * (TILES * warp + m) + g + i / 2 * 8] = own.sums[m][4 * j + i] * (i < 2 ? scale.x : scale.y);
  }
  constexpr int FOURS = GROUP_OUTPUTS / 4 / (GATED ? 2 : 1), WRITERS = OUT_GROUPS == 1 ? PAIR : GROUP_THREADS;
  if (OUT_GROUPS == 1) sums = room;
  if (SPLIT > 1) meetCluster();
  else if (OUT_GROUPS == 1) meet(ENDED, PAIR);
  else meet(ENDED + 1 + own.group, GROUP_THREADS);
#ifdef CPU_CARD
  if (SPLIT > 1) {
    meet(ENDED, PAIR);
    for (int i = threadIdx.x; i < 2 * ROWS * SUMS; i += PAIR) keptRooms[to.part][i] = room[i];
    keptFrom = room;
    meet(ENDED, PAIR);
  }
  // The last block has all rows.
  const int from = SPLIT > 1 && to.part + 1 < SPLIT ? count * FOURS : threadIdx.x % WRITERS, step = WRITERS;
#else
  const int from = to.part * WRITERS + threadIdx.x % WRITERS, step = SPLIT * WRITERS;
#endif
  for (int i = from; i < count * FOURS; i += step) to.put(sums + i / FOURS * SUMS, rows[i / FOURS], i % FOURS);
  // Others of the cluster may still read what this block has.
  if (SPLIT > 1) meetCluster();
}

template <int N> __device__ __forceinline__ void work(const u8 *stages, const float2 *const *scales, int group, int turns, const Target &to, float *sums, const int *rows, int count) {
  Multiplier<N> own;
  own.stages = stages, own.group = group, own.turns = turns;
#pragma unroll
  for (int m = 0; m < TILES; m++) own.scales[m] = scales[m];
  own.run();
  finish(own, to, sums, rows, count);
}

#if SPLIT > 1 && !defined(CPU_CARD)
#define CLUSTERED __cluster_dims__(SPLIT, 1, 1)
extern "C" __global__ void CLUSTERED groupRows(const Matrix *, const Job *, const int *, const int *, const float *, const f16 *, Output *, int, int, int, int, int, int, float);
#endif
extern "C" __global__ void __launch_bounds__(384, 1) groupRows(const Matrix *matrices, const Job *jobs, const int *jobCount, const int *order, const float *rowScales, const f16 *x, Output *y, int rowCount, int fold, int n, int spans, int xStride, int yStride, float factor) {
  if (jobs) awaitPrevious();
  const int tileCount = (n + 15) / 16, across = (tileCount + BLOCK_TILES - 1) / BLOCK_TILES, all = jobs ? *jobCount : (rowCount + ROWS - 1) / ROWS;
  const int block = blockIdx.x / SPLIT, part = blockIdx.x % SPLIT, band = block / (BAND * across), within = block % (BAND * across), wide = all - BAND * band < BAND ? all - BAND * band : BAND;
  if (wide <= 0 || within >= wide * across) return;
  DYNAMIC_SHARED(uint4, room);
  __shared__ int rows[ROWS];
  __shared__ u32 places[ROWS];
  const int index = BAND * band + within % wide, start = index * ROWS, firstTile = within / wide * BLOCK_TILES;
  const Job job = jobs ? jobs[index] : Job{0, start, rowCount - start < ROWS ? rowCount - start : ROWS, 0};
  const Matrix matrix = matrices[job.matrix];
  const int allTurns = 2 * spans / SLABS, first = part * allTurns / SPLIT, turns = (part + 1) * allTurns / SPLIT - first;
  if (!jobs) {
    // Weights do not depend on what was computed before: of each tile the first ones are asked for, and all scales, which are needed one at a time.
    for (int m = threadIdx.x / 32, at = threadIdx.x % 32; m < BLOCK_TILES && firstTile + m < tileCount; m += THREADS / 32) {
      const long long own = firstTile + m;
      for (int i = 8 * at; i < EXPECTED * TURN_WORDS && i < turns * TURN_WORDS; i += 8 * 32) toCache(matrix.tiles + (own * allTurns + first) * TURN_WORDS + i);
      for (int i = 16 * at; i < spans * SCALES * 8 / SPLIT; i += 16 * 32) toCache(matrix.scales + own * spans * SCALES * 8 + first * SPAN_SCALES + i);
    }
    awaitPrevious();
  }
  for (int i = threadIdx.x; i < ROWS; i += THREADS) {
    const int place = job.first + (i < job.count ? i : job.count - 1);
    int own = rows[i] = order ? order[place] : place;
    if (GATED && fold > 0 && own >= fold) own -= fold;
    places[i] = (u32)(own * rowSize(xStride) / 8);
  }
  __syncthreads();
  u8 *const stages = firstSlab(room);
  const int used = job.count <= 32 ? 32 : job.count <= 64 ? 64 : ROWS, warp = threadIdx.x >> 5, group = warp / 4;
  if (group == 2) {
    giveRegisters<40>();
    Bringer{x, places, matrix.tiles, stages, used, xStride, firstTile, tileCount, turns, first, allTurns}.run();
    // All threads of a cluster come twice.
    if (SPLIT > 1) meetCluster(), meetCluster();
  } else {
    takeRegisters<232>();
    const int tile = firstTile + TILES * (OUT_GROUPS == 1 ? warp & 3 : warp);
    const Target to = {y, rowScales, fold, n, yStride, OUT_GROUPS == 1 ? firstTile : firstTile + 4 * TILES * group, part, factor};
    const float2 *scales[TILES];
#pragma unroll
    for (int m = 0; m < TILES; m++) scales[m] = matrix.scales + (long long)(tile + m < tileCount ? tile + m : tileCount - 1) * (BLOCK > 0 ? spans * SCALES : 1) * 8 + first * SPAN_SCALES + (threadIdx.x & 31) / 4;
    float *sums = (float *)stages;
    if (used == 32) work<32>(stages, scales, group, turns, to, sums, rows, job.count);
    else if (ROWS == 64 || used == 64) work<64>(stages, scales, group, turns, to, sums, rows, job.count);
    else work<ROWS>(stages, scales, group, turns, to, sums, rows, job.count);
  }
}
