// The expert of each row, the rows sorted by expert, and jobs of at most ROWS of them. The first *live of rowCount rows are routed; others have no expert.
// chosen [rows, stride] takes each row's expert in its column; scales its sigmoid. places[expert] says which matrix is the expert's, a negative one that it is
// not here: its rows stay as they are. One block of 1024 threads, at most 1024 experts.
constexpr int ROWS = 8;
extern "C" __global__ void __launch_bounds__(1024) route(const float *logits, const int *live, const int *places, int *chosen, float *scales, int *order, Job *jobs, int *jobCount, int expertCount, int stride, int column) {
  __shared__ int counts[1024], firsts[1024], turns[1024];
  const int thread = threadIdx.x, lane = thread & 31, rowCount = *live;
  for (int row = thread >> 5; row < rowCount; row += blockDim.x >> 5) {
    Best best = {NONE, 0x7fffffff};
    for (int e = lane; e < expertCount; e += 32) {
      const Best next = {logits[(long long)row * expertCount + e], e};
      if (isBetter(next, best)) best = next;
    }
    best = warpBest(best);
    if (lane == 0) {
      chosen[(long long)row * stride + column] = best.index;
      scales[row] = 1.f / (1.f + expf(-best.value));
    }
  }
  __syncthreads();
  const int expert = thread;
  int count = 0;
  if (expert < expertCount)
    for (int row = 0; row < rowCount; row++) count += chosen[(long long)row * stride + column] == expert;
  const bool isHere = expert < expertCount && places[expert] >= 0;
  if (thread < 1024) counts[thread] = isHere ? count : 0;
  __syncthreads();
  if (thread == 0) {
    int rows = 0, job = 0;
    for (int e = 0; e < expertCount; e++) {
      firsts[e] = rows, turns[e] = job;
      rows += counts[e], job += (counts[e] + ROWS - 1) / ROWS;
    }
    *jobCount = job;
  }
  __syncthreads();
  if (!isHere || count == 0) return;
  int at = firsts[expert];
  for (int row = 0; row < rowCount; row++)
    if (chosen[(long long)row * stride + column] == expert) order[at++] = row;
  for (int done = 0, job = turns[expert]; done < count; done += ROWS, job++)
    jobs[job] = Job{places[expert], firsts[expert] + done, count - done < ROWS ? count - done : ROWS, 0};
}
