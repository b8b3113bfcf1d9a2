// The same products as few_rows.cu's for many rows: a job has up to 64 ROW_WARPS rows, a block 32 OUT_WARPS outputs. Rows come to shared memory in turns of 64 inputs for each of
// K_WARPS parts of the inputs, STAGES turns ahead; a warp has two tiles and 64 rows. Parts are added in their order. Grid (jobs, tiles / 2 / OUT_WARPS rounded up), 32 OUT_WARPS
// ROW_WARPS K_WARPS threads, and STAGES K_WARPS ROW_WARPS TERMS 8 KiB of shared memory, at least OUT_WARPS ROW_WARPS (K_WARPS - 1) 8 KiB.
#if GATED
typedef Activation Output;
#else
typedef float Output;
#endif
constexpr int ROWS = 64 * ROW_WARPS, THREADS = 32 * OUT_WARPS * ROW_WARPS * K_WARPS, PART_THREADS = THREADS / K_WARPS;
// Units of 16 bytes of a part's rows in one turn.
constexpr int UNITS = TERMS * ROWS * 8;

extern "C" __global__ void __launch_bounds__(THREADS, 1) manyRows(const Matrix *matrices, const Job *jobs, const int *jobCount, const int *order, const float *rowScales, const f16 *x, Output *y, int rowCount, int fold, int n, int spans, int xStride, int yStride, float factor) {
  if (jobs) awaitPrevious();
  if (jobs && (int)blockIdx.x >= *jobCount) return;
  DYNAMIC_SHARED(uint4, room);
  __shared__ int rows[ROWS];
  const int start = blockIdx.x * ROWS;
  const Job job = jobs ? jobs[blockIdx.x] : Job{0, start, rowCount - start < ROWS ? rowCount - start : ROWS, 0};
  const Matrix matrix = matrices[job.matrix];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
  const int outWarp = warp % OUT_WARPS, rowWarp = warp / OUT_WARPS % ROW_WARPS, kWarp = warp / OUT_WARPS / ROW_WARPS;
  const int tile = (blockIdx.y * OUT_WARPS + outWarp) * 2, tileCount = (n + 15) / 16;
  const int from = kWarp * spans / K_WARPS, to = (kWarp + 1) * spans / K_WARPS, turns = 2 * ((spans + K_WARPS - 1) / K_WARPS);
  for (int i = threadIdx.x; i < ROWS; i += THREADS) {
    const int place = job.first + (i < job.count ? i : job.count - 1);
    rows[i] = order ? order[place] : place;
  }
  __syncthreads();
  const int partThread = threadIdx.x % PART_THREADS;
  const auto bring = [&](int turn) {
    const int chunk = 2 * from + turn;
    uint4 *stage = room + (turn % STAGES * K_WARPS + kWarp) * UNITS;
    if (chunk < 2 * to)
#pragma unroll
      for (int i = 0; i < UNITS / PART_THREADS; i++) {
        const int unit = i * PART_THREADS + partThread, row = unit / 8 % ROWS, term = unit / 8 / ROWS, piece = unit % 8;
        int own = rows[row];
        if (GATED && fold > 0 && own >= fold) own -= fold;
        copyAhead(stage + (unit & ~7) + (piece ^ (row & 7)), x + own * rowSize(xStride) + (long long)term * xStride + 64 * chunk + 8 * piece);
      }
    endTurn();
  };
  float sums[2][8][4] = {};
#if BLOCK > 0
  float part[2][8][4] = {};
#else
  float(&part)[2][8][4] = sums;
#endif
  Weights next, now;
  const Source sources[2] = {sourceOf(matrix, tile, tileCount, spans, lane), sourceOf(matrix, tile + 1, tileCount, spans, lane)};
  if (from < to) fetch(next, sources, from);
  // Weights do not depend on what was computed before.
  if (!jobs) awaitPrevious();
#pragma unroll
  for (int turn = 0; turn < STAGES - 1; turn++) bring(turn);
  const bool isIdle = 64 * rowWarp >= job.count;
  for (int pair = 0; pair < turns / 2; pair++) {
    const int span = from + pair;
    now = next;
    if (span + 1 < to) fetch(next, sources, span + 1);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int turn = 2 * pair + h;
      awaitTurns<STAGES - 2>();
      __syncthreads();
      bring(turn + STAGES - 1);
      if (span >= to || isIdle) continue;
      const uint4 *stage = room + (turn % STAGES * K_WARPS + kWarp) * UNITS + (64 * rowWarp + g) * 8;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        u32 a[2][2][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
          for (int s = 0; s < 2; s++) operands(now.words[m] + h * WORDS, 2 * half + s, a[m][s]);
        // Instructions that add to one sum are eight apart: each has to wait for the last.
#pragma unroll
        for (int four = 0; four < 8; four += 4)
#pragma unroll
          for (int term = 0; term < TERMS; term++) {
            uint4 b[4];
#pragma unroll
            for (int r = 0; r < 4; r++) b[r] = stage[(term * ROWS + 8 * (four + r)) * 8 + ((2 * t + half) ^ g)];
#pragma unroll
            for (int s = 0; s < 2; s++)
#pragma unroll
              for (int r = 0; r < 4; r++)
#pragma unroll
                for (int m = 0; m < 2; m++) multiplyAdd(part[m][four + r], a[m][s], s == 0 ? b[r].x : b[r].z, s == 0 ? b[r].y : b[r].w);
          }
#if BLOCK > 0
        if ((64 * h + 32 * half + 32) % BLOCK == 0)
#pragma unroll
          for (int m = 0; m < 2; m++) {
            const float2 scale = now.scales[m][(64 * h + 32 * half) / BLOCK];
#pragma unroll
            for (int r = 0; r < 8; r++)
#pragma unroll
              for (int i = 0; i < 4; i++) {
                sums[m][r][i] += (i < 2 ? scale.x : scale.y) * part[m][r][i];
                part[m][r][i] = 0.f;
              }
          }
#endif
      }
    }
  }
#if K_WARPS > 1
  // The parts behind the first come to shared memory, and are added in their order.
  awaitTurns<STAGES - 2>();
  __syncthreads();
  float4 *given = (float4 *)room + (outWarp + rowWarp * OUT_WARPS) * 16 * 32 + lane;
  constexpr int PART = OUT_WARPS * ROW_WARPS * 16 * 32;
  if (kWarp > 0)
#pragma unroll
    for (int i = 0; i < 16; i++) given[(kWarp - 1) * PART + 32 * i] = make_float4(sums[i / 8][i % 8][0], sums[i / 8][i % 8][1], sums[i / 8][i % 8][2], sums[i / 8][i % 8][3]);
  __syncthreads();
  if (kWarp > 0) return;
#pragma unroll
  for (int other = 0; other < K_WARPS - 1; other++)
#pragma unroll
    for (int i = 0; i < 16; i++) {
      const float4 more = given[other * PART + 32 * i];
      sums[i / 8][i % 8][0] += more.x, sums[i / 8][i % 8][1] += more.y, sums[i / 8][i % 8][2] += more.z, sums[i / 8][i % 8][3] += more.w;
    }
#endif
  if (isIdle) return;
#if BLOCK == 0
#pragma unroll
  for (int m = 0; m < 2; m++) {
    const float2 scale = matrix.scales[(long long)(tile + m < tileCount ? tile + m : tileCount - 1) * 8 + g];
#pragma unroll
    for (int r = 0; r < 8; r++) sums[m][r][0] *= scale.x, sums[m][r][1] *= scale.x, sums[m][r][2] *= scale.y, sums[m][r][3] *= scale.y;
  }
#endif
#pragma unroll
  for (int r = 0; r < 8; r++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = 64 * rowWarp + 8 * r + 2 * t + i % 2, o = g + i / 2 * 8;
      if (row >= job.count) continue;
      const int own = rows[row];
#if GATED
      const float scale = rowScales && (fold == 0 || own < fold) ? rowScales[own] : 1.f, gate = scale * sums[0][r][i], up = scale * sums[1][r][i];
      if (8 * tile + o < n / 2) putNumber(y + own * rowSize(yStride), yStride, 8 * tile + o, factor * (gate / (1.f + expf(-gate)) * up));
#else
#pragma unroll
      for (int m = 0; m < 2; m++)
        if (16 * (tile + m) + o < n) y[(long long)own * yStride + 16 * (tile + m) + o] = factor * sums[m][r][i];
#endif
    }
}
