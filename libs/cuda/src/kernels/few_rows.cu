// y[row] = W x[row] of few rows a job, by matrix instructions; W in tiles (tensor.cuh), x of f16 in TERMS terms (prelude.cuh), sums f32. Each term of a row is a column of the
// instructions: of GROUPS of eight columns a job has 8 GROUPS / TERMS rows. A block of WARPS warps has 16 TILES outputs; its warps divide the inputs, and add their sums
// in the order of the warps: a row's product does not depend on the rows beside it, nor on how many there are, as long as WARPS is the same. GATED: tiles are in turns of
// gate and up, and y[row] = silu(s gate) (s up) as activations, s the row's scale. Without jobs, all rows times the first matrix. Rows from `fold` on are the shared
// expert's: they read row - fold if GATED, and have no scale. y's rows have yStride numbers, of which n (GATED: n / 2) are written, times factor.
// Jobs of a product that is not GATED are those of the gated one before it: they were there before it began. Grid (jobs, tiles / TILES rounded up), or, ACROSS, the other way about, so that blocks
// which run beside each other read the same rows; 32 WARPS threads.
#if GATED
typedef Activation Output;
#else
typedef float Output;
#endif
// A lane's sums of an output pair and a row.
typedef float2 Room[TILES * GROUPS][32];
constexpr int GROUP_ROWS = 8 / TERMS, ROWS = GROUP_ROWS * GROUPS;

template <int USED> __device__ __forceinline__ void multiply(const Matrix &matrix, const Job &job, const int *order, const f16 *x, int fold, int tile, int tileCount, int spans, int xStride, Room *room, bool isWaiting) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
  const int from = warp * spans / WARPS, to = (warp + 1) * spans / WARPS;
  Source sources[TILES];
#pragma unroll
  for (int m = 0; m < TILES; m++) sources[m] = sourceOf(matrix, tile + m, tileCount, spans, lane);
  Weights next;
  if (from < to) fetch(next, sources, from);
  // Weights do not depend on what was computed before.
  if (isWaiting) awaitPrevious();
  const f16 *inputs[USED];
#pragma unroll
  for (int r = 0; r < USED; r++) {
    const int own = r * GROUP_ROWS + g / TERMS, place = job.first + (own < job.count ? own : job.count - 1);
    int row = order ? order[place] : place;
    if (GATED && fold > 0 && row >= fold) row -= fold;
    inputs[r] = x + row * rowSize(xStride) + g % TERMS * xStride + 16 * t;
  }
  float2 sums[TILES][USED];
  float part[TILES][USED][4];
#pragma unroll
  for (int m = 0; m < TILES; m++)
#pragma unroll
    for (int r = 0; r < USED; r++) {
      sums[m][r] = make_float2(0.f, 0.f);
      part[m][r][0] = part[m][r][1] = part[m][r][2] = part[m][r][3] = 0.f;
    }
  for (int span = from; span < to; span++) {
    const bool isLast = span + 1 == to;
#if BLOCK > 0
    float2 scales[TILES][SCALES];
#pragma unroll
    for (int m = 0; m < TILES; m++) {
#pragma unroll
      for (int i = 0; i < SCALES; i++) scales[m][i] = next.scales[m][i];
      if (!isLast) fetchScales(next, m, sources[m], span + 1);
    }
#endif
#pragma unroll
    for (int h = 0; h < 2; h++) {
      uint4 b[USED][2];
#pragma unroll
      for (int r = 0; r < USED; r++) {
        const uint4 *at = (const uint4 *)(inputs[r] + span * SPAN + 64 * h);
        b[r][0] = __ldg(at), b[r][1] = __ldg(at + 1);
      }
#pragma unroll
      for (int m = 0; m < TILES; m++) {
        uint4 words[WORDS];
#pragma unroll
        for (int i = 0; i < WORDS; i++) words[i] = next.words[m][h * WORDS + i];
        if (!isLast) fetchWords(next.words[m], sources[m], span + 1, h);
#pragma unroll
        for (int s = 0; s < 4; s++) {
          u32 a[4];
          operands(words, s, a);
#pragma unroll
          for (int r = 0; r < USED; r++) {
            const uint4 &four = b[r][s / 2];
            multiplyAdd(part[m][r], a, s % 2 == 0 ? four.x : four.z, s % 2 == 0 ? four.y : four.w);
          }
#if BLOCK > 0
          // The inputs that share a scale end with this instruction.
          if ((64 * h + 16 * s + 16) % BLOCK == 0) {
            const float2 scale = scales[m][(64 * h + 16 * s) / BLOCK];
#pragma unroll
            for (int r = 0; r < USED; r++) {
              sums[m][r].x += scale.x * (part[m][r][0] + (TERMS == 2 ? part[m][r][1] : 0.f));
              sums[m][r].y += scale.y * (part[m][r][2] + (TERMS == 2 ? part[m][r][3] : 0.f));
              part[m][r][0] = part[m][r][1] = part[m][r][2] = part[m][r][3] = 0.f;
            }
          }
#endif
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < TILES; m++)
#pragma unroll
    for (int r = 0; r < USED; r++) {
#if BLOCK == 0
      sums[m][r] = make_float2(part[m][r][0] + part[m][r][1], part[m][r][2] + part[m][r][3]);
#endif
      room[warp][m * GROUPS + r][lane] = sums[m][r];
    }
}

// Output o of a tile and a row of the job, whose two columns lane 4 (o % 8) + row % 4 has.
__device__ __forceinline__ float sumOf(const Room *room, int m, int o, int row) {
  float sum = 0.f;
#pragma unroll
  for (int w = 0; w < WARPS; w++) sum += ((const float *)&room[w][m * GROUPS + row / GROUP_ROWS][4 * (o % 8) + row % GROUP_ROWS])[o / 8];
  return sum;
}

extern "C" __global__ void __launch_bounds__(WARPS * 32, BLOCKS) fewRows(const Matrix *matrices, const Job *jobs, const int *jobCount, const int *order, const float *rowScales, const f16 *x, Output *y, int rowCount, int fold, int n, int spans, int xStride, int yStride, float factor) {
  static_assert(TERMS == 2, "a lane has both terms of a row");
  const bool isKnown = !jobs || !GATED;
  const int index = ACROSS ? blockIdx.y : blockIdx.x;
  if (!isKnown) awaitPrevious();
  // The first job is there whenever a row is.
  if (jobs && index >= early(jobCount)) {
    if (isKnown && index == 0) awaitPrevious();
    return;
  }
  __shared__ Room room[WARPS];
  const int start = index * ROWS;
  const Job *own = jobs + index;
  const Job job = jobs ? Job{early(&own->matrix), early(&own->first), early(&own->count), 0} : Job{0, start, rowCount - start < ROWS ? rowCount - start : ROWS, 0};
  const Matrix matrix = matrices[job.matrix];
  const int tile = (ACROSS ? blockIdx.x : blockIdx.y) * TILES, tileCount = (n + 15) / 16;
  if (GROUPS > 1 && job.count <= GROUP_ROWS) multiply<1>(matrix, job, order, x, fold, tile, tileCount, spans, xStride, room, isKnown);
  else if (GROUPS > 2 && job.count <= 2 * GROUP_ROWS) multiply<2>(matrix, job, order, x, fold, tile, tileCount, spans, xStride, room, isKnown);
  else multiply<GROUPS>(matrix, job, order, x, fold, tile, tileCount, spans, xStride, room, isKnown);
  __syncthreads();
#if GATED
  constexpr int OUTPUTS = 8 * TILES;
#else
  constexpr int OUTPUTS = 16 * TILES;
#endif
  for (int i = threadIdx.x; i < OUTPUTS * job.count; i += WARPS * 32) {
    const int row = i / OUTPUTS, m = i % OUTPUTS / 16 * (GATED ? 2 : 1), o = i % 16, own = tile * 16 / (GATED ? 2 : 1) + i % OUTPUTS;
    if (own >= (GATED ? n / 2 : n)) continue;
    const int place = job.first + row, to = order ? order[place] : place;
    float sum = sumOf(room, m, o, row);
#if BLOCK == 0
    const float *scales = (const float *)(matrix.scales + (long long)(tile + m) * 8 + o % 8) + o / 8;
    sum *= scales[0];
#endif
#if GATED
    float up = sumOf(room, m + 1, o, row);
#if BLOCK == 0
    up *= scales[16];
#endif
    const float scale = rowScales && (fold == 0 || to < fold) ? rowScales[to] : 1.f, gate = scale * sum;
    putNumber(y + to * rowSize(yStride), yStride, own, factor * (gate / (1.f + expf(-gate)) * (scale * up)));
#else
    y[(long long)to * yStride + own] = factor * sum;
#endif
  }
}
