// Rows that another card of this host asks for (link.cuh), taken in: x as activations (prelude.cuh), each at its own place, the order in which they are sorted by expert, and jobs of at most
// `most` of them. asked[0] takes the call's number, and asked[1 + row] each row's expert, or -1. Rows from those of the call on have none. width is a multiple of 4.
// Grid (rows + 1), of which the last block sorts; 256 threads.
extern "C" __global__ void __launch_bounds__(256) admitRows(const u32 *calls, const int *head, const float *z, Activation *x, int *asked, int *order, Job *jobs, int *jobCount, int expertCount, int most, int width, int stride) {
  awaitPrevious();
  const int rowCount = gridDim.x - 1;
  const auto expertOf = [&](int row) {
    const int expert = row < (int)hostWord(head + 1) ? (int)hostWord(head + HEAD_LIST + row) : -1;
    return expert < expertCount ? expert : -1;
  };
  if ((int)blockIdx.x < rowCount) {
    const int row = blockIdx.x;
    if (expertOf(row) < 0) return;
    eachHostFour(z + (long long)row * width, width, [&](int i, float4 v) { putFour<>(x + row * rowSize(stride), stride, i, v); });
    return;
  }
  __shared__ int experts[LINK_ROWS], turns[LINK_ROWS], count;
  const int row = threadIdx.x;
  if (row == 0) count = 0, asked[0] = (int)hostWord(calls);
  int expert = -1, first = 0, turn = 0, own = 0;
  if (row < rowCount) experts[row] = expert = expertOf(row), asked[1 + row] = expert;
  __syncthreads();
  if (expert >= 0) {
    for (int other = 0; other < rowCount; other++) {
      const int its = experts[other];
      if (its >= 0 && its < expert) first++;
      if (its == expert) own++, turn += other < row;
    }
    order[first + turn] = row;
  }
  if (row < rowCount) turns[row] = turn;
  __syncthreads();
  if (expert >= 0 && turn % most == 0) {
    int job = 0;
    for (int other = 0; other < rowCount; other++) {
      const int its = experts[other];
      if (its >= 0 && turns[other] % most == 0 && (its < expert || (its == expert && turns[other] < turn))) job++;
    }
    jobs[job] = Job{expert, first + turn, own - turn < most ? own - turn : most, 0};
    atomicAdd(&count, 1);
  }
  __syncthreads();
  if (row == 0) *jobCount = count;
}

// out[row] = y[row] of the call's rows, and answered the call's number once all are there. arrived is 0, and is so again. Grid (rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) replyRows(const int *asked, const float *y, float *out, u32 *answered, int *arrived, int width) {
  awaitPrevious();
  const int row = blockIdx.x;
  const long long at = (long long)row * width;
  if (asked[1 + row] >= 0)
    for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) *(float4 *)(out + at + i) = *(const float4 *)(y + at + i);
  fenceHost();
  if (!isLastBlock(arrived, gridDim.x) || threadIdx.x != 0) return;
  putHostWord(answered + 1, 0);
  fenceHost();
  putHostWord(answered, (u32)asked[0]);
}
