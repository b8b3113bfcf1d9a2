// The expert of each row, the rows sorted by expert, and jobs of at most ROWS of them. The first *live of rowCount rows are routed; others have no expert.
// chosen [rows, stride] takes each row's expert in its column; scales its sigmoid. places[expert] says which matrix is the expert's, a negative one that it is
// not here: its rows stay as they are. Where `shared` is not negative it is the shared expert's matrix: live rows have jobs of it too, the first ones, as rows from `fold` on.
// order has room for twice the rows. ROWS: of a job. All threads of a block of whole warps, at most 1024 experts.
__device__ __forceinline__ void routeRows(const float *logits, const int *live, const int *places, int *chosen, float *scales, int *order, Job *jobs, int *jobCount, int expertCount, int stride, int column, int shared, int fold) {
  __shared__ int counts[1024], firsts[1024], turns[1024], matrices[1024];
  const int thread = threadIdx.x, threads = blockDim.x, lane = thread & 31, warp = thread >> 5, warps = threads >> 5, rowCount = *live;
  for (int e = thread; e < expertCount; e += threads) counts[e] = 0, matrices[e] = places[e];
  __syncthreads();
  for (int row = warp; row < rowCount; row += warps) {
    Best best = {NONE, 0x7fffffff};
    for (int e = lane; e < expertCount; e += 32) {
      const Best next = {logits[(long long)row * expertCount + e], e};
      if (isBetter(next, best)) best = next;
    }
    best = warpBest(best);
    // Where nothing is a number nothing is best.
    if (best.index >= expertCount) best.index = 0;
    if (lane == 0) {
      chosen[(long long)row * stride + column] = best.index;
      scales[row] = 1.f / (1.f + expf(-best.value));
      atomicAdd(&counts[best.index], 1);
    }
  }
  __syncthreads();
  const int sharedJobs = shared < 0 ? 0 : (rowCount + ROWS - 1) / ROWS, sharedRows = shared < 0 ? 0 : rowCount;
  if (thread == 0) {
    int rows = sharedRows, job = sharedJobs;
    for (int e = 0; e < expertCount; e++) {
      if (matrices[e] < 0) counts[e] = 0;
      firsts[e] = rows, turns[e] = job;
      rows += counts[e], job += (counts[e] + ROWS - 1) / ROWS;
    }
    *jobCount = job;
  }
  for (int row = thread; row < sharedRows; row += threads) order[row] = fold + row;
  for (int job = thread; job < sharedJobs; job += threads) jobs[job] = Job{shared, job * ROWS, rowCount - job * ROWS < ROWS ? rowCount - job * ROWS : ROWS, 0};
  __syncthreads();
  // A warp an expert: its rows in order, 32 at a time.
  for (int e = warp; e < expertCount; e += warps) {
    const int count = counts[e], first = firsts[e];
    if (count == 0) continue;
    int at = first;
    for (int row = lane; row - lane < rowCount; row += 32) {
      const bool isOwn = row < rowCount && chosen[(long long)row * stride + column] == e;
      const u32 own = __ballot_sync(ALL_LANES, isOwn);
      if (isOwn) order[at + __popc(own & ((1u << lane) - 1u))] = row;
      at += __popc(own);
    }
    for (int job = lane; job * ROWS < count; job += 32)
      jobs[turns[e] + job] = Job{matrices[e], first + job * ROWS, count - job * ROWS < ROWS ? count - job * ROWS : ROWS, 0};
  }
}
