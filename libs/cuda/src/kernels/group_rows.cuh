// What group_rows.cu begins with: the sizes that its macros make, what sums are kept over, and the warps that bring rows and weights.
#if GATED
typedef Activation Output;
#else
typedef float Output;
#endif
constexpr int BLOCK_TILES = 4 * TILES * OUT_GROUPS, STEP = OUT_GROUPS == 1 ? 2 : 1, BAND = 8, GROUP_THREADS = 128, PAIR = 2 * GROUP_THREADS, THREADS = 3 * GROUP_THREADS;
constexpr int TERM_BYTES = ROWS * SLAB_ROW, ROW_BYTES = 2 * TERM_BYTES, TURN = 64 * SLABS, TURN_WORDS = SLABS * WORDS * 32, TILES_AT = SLABS * ROW_BYTES, STAGE_BYTES = TILES_AT + BLOCK_TILES * TURN_WORDS * 16;
// Barriers: a stage is there for one of the groups; those that it is for have read it.
constexpr int FILLED = 1, EMPTIED = 1 + OUT_GROUPS * STAGES, ENDED = EMPTIED + STAGES, EMPTYING = (1 + OUT_GROUPS) * GROUP_THREADS;
static_assert(ENDED + 2 <= 15, "a block has fifteen barriers");
// Turns that may be on their way: a group lets go of a turn when its next one is there, which therefore must not wait for room that this one has.
constexpr int AHEAD = STAGES - 1 - STEP;
// What sums go through to y: of each row a group's outputs, and what keeps rows apart in banks.
constexpr int GROUP_OUTPUTS = 64 * TILES, SUMS = GROUP_OUTPUTS + 4;
static_assert(2 * ROWS * SUMS * 4 <= STAGES * STAGE_BYTES, "sums take the stages' place");
// Of few rows weights are what is waited for: they are asked for so many turns before they are brought.
constexpr int EXPECTED = ROWS == 64 ? 8 : 0;
// A lane's scales from one turn to the next, where turns begin with one.
constexpr int SPAN_SCALES = SPLIT > 1 ? SCALES * 8 : 0;
// Runs of 64 inputs between which a scale changes, and instructions of one.
constexpr int RUNS = BLOCK == 32 ? 2 : 1, STEPS = 4 / RUNS;
static_assert(!GATED || TILES == 2, "a warp has a tile of gate and one of up");
static_assert((STEP == 1 && SPLIT == 1) || SLABS == 2, "a group's turns begin with a scale of their own");
static_assert(TERMS == 2 && ORDER == 1, "rows lie as group.cuh reads them");

// What the sums of a pair of outputs are kept over: the scale of the last block, but 2^-40 of the greatest so far where it is less, beside which all that such a block adds is nothing.
struct Unit {
  float now[2], most[2];
  // What sums are multiplied by for the next scale.
  __device__ __forceinline__ float next(int half, float scale) {
    const float size = fabsf(scale);
    most[half] = size > most[half] ? size : most[half];
    const float least = most[half] * 9.094947e-13f > 7.52316e-37f ? most[half] * 9.094947e-13f : 7.52316e-37f;
    const float unit = size < least ? least : scale, share = now[half] / unit;
    now[half] = unit;
    return share;
  }
};

// Copies turns of a job's first `used` rows, which begin at x + 8 places[row], and of the block's tiles, of whose turns the block's begin with `first`. All threads of a group.
struct Bringer {
  const f16 *x;
  const u32 *places;
  const uint4 *tiles;
  u8 *stages;
  int used, xStride, tile, tileCount, turns, first, allTurns;

  __device__ __forceinline__ void copy(int turn) const {
    const int thread = threadIdx.x % GROUP_THREADS, piece = thread & 7, lane = thread & 31;
    u8 *stage = stages + turn % STAGES * STAGE_BYTES;
#pragma unroll 4
    for (int row = thread / 8; row < used; row += GROUP_THREADS / 8) {
      const f16 *from = x + 8ll * places[row] + TURN * (first + turn) + 8 * piece;
      uint4 *to = (uint4 *)stage + unitAt(row, piece);
#pragma unroll
      for (int slab = 0; slab < SLABS; slab++) copyAhead(to + slab * (ROW_BYTES / 16), from + 64 * slab), copyAhead(to + slab * (ROW_BYTES / 16) + TERM_BYTES / 16, from + 64 * slab + xStride);
    }
#pragma unroll
    for (int i = 0; i < (BLOCK_TILES + 3) / 4; i++) {
      const int m = thread / 32 * (BLOCK_TILES / 4) + i;
      const long long own = tile + m < tileCount ? tile + m : tileCount - 1;
      const uint4 *from = tiles + (own * allTurns + first + turn) * TURN_WORDS + lane;
      uint4 *to = (uint4 *)(stage + TILES_AT) + m * TURN_WORDS + lane;
#pragma unroll
      for (int word = 0; word < SLABS * WORDS; word++) copyAhead(to + 32 * word, from + 32 * word);
      if (EXPECTED > 0 && turn + EXPECTED < turns && 8 * lane < TURN_WORDS) toCache(from + EXPECTED * TURN_WORDS + 7 * lane);
    }
    endTurn();
  }
  __device__ __forceinline__ void announceTurn(int turn) const {
    publishSlabs();
    for (int group = 0; group < OUT_GROUPS; group++) announce(FILLED + OUT_GROUPS * (turn % STAGES) + group, PAIR);
  }
  __device__ __forceinline__ void run() const {
    for (int turn = 0; turn < turns; turn++) {
      if (turn >= STAGES) meet(EMPTIED + turn % STAGES, EMPTYING);
      copy(turn);
      awaitTurns<AHEAD>();
      if (turn >= AHEAD) announceTurn(turn - AHEAD);
    }
    awaitTurns<0>();
    for (int turn = turns > AHEAD ? turns - AHEAD : 0; turn < turns; turn++) announceTurn(turn);
  }
};
