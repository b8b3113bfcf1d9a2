// Rows whose expert another card of this host holds, written to where that card reads them (link.cuh). The first *live of the rows are routed; chosen [rows, stride] has their
// experts in a column, and linkOf[expert] the link to its holder, or -1 where it is here. away[row] takes it, and the row goes there as scales[row] * exact[row]. The block that
// ends last lists the rows' experts and counts a call up for each link that has some: turns[2 link] is its last call, and turns[2 link + 1] the one to wait for, or 0. arrived is 0,
// and is so again. width is a multiple of 4. Grid (rows), at most LINK_ROWS; 256 threads.
extern "C" __global__ void __launch_bounds__(256) sendRows(const float *exact, const float *scales, const int *chosen, const int *live, const int *linkOf, const Link *links, u32 *turns, int *away, int *arrived, int width, int stride, int column, int linkCount) {
  awaitPrevious();
  const int row = blockIdx.x, rowCount = gridDim.x, liveCount = *live;
  const auto expertOf = [&](int of) { return of < liveCount ? chosen[(long long)of * stride + column] : -1; };
  const int expert = expertOf(row), link = expert < 0 ? -1 : linkOf[expert];
  if (threadIdx.x == 0) away[row] = link;
  if (link >= 0) {
    const float scale = scales[row];
    const long long at = (long long)row * width;
    float *z = links[link].z + at;
    for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) {
      float4 v = *(const float4 *)(exact + at + i);
      v.x *= scale, v.y *= scale, v.z *= scale, v.w *= scale;
      *(float4 *)(z + i) = v;
    }
  }
  fenceHost();
  if (!isLastBlock(arrived, rowCount)) return;
  __shared__ int counts[LINKS];
  if (threadIdx.x < LINKS) counts[threadIdx.x] = 0;
  __syncthreads();
  const int own = (int)threadIdx.x < rowCount ? expertOf(threadIdx.x) : -1, ownLink = own < 0 ? -1 : linkOf[own];
  if (ownLink >= 0) atomicAdd(&counts[ownLink], 1);
  __syncthreads();
  if ((int)threadIdx.x < rowCount)
    for (int l = 0; l < linkCount; l++)
      if (counts[l] > 0) links[l].head[HEAD_LIST + threadIdx.x] = ownLink == l ? own : -1;
  fenceHost();
  __syncthreads();
  const int l = threadIdx.x;
  if (l >= linkCount) return;
  u32 turn = 0;
  if (counts[l] > 0) {
    turn = turns[2 * l] + 1;
    if (turn == 0) turn = 1;
    turns[2 * l] = turn;
    links[l].head[0] = column, links[l].head[1] = rowCount;
    fenceHost();
    putHostWord(links[l].asked, turn);
  }
  turns[2 * l + 1] = turn;
}

// So long a call is waited for.
constexpr u64 WAIT_NS = 500000000;

__device__ __forceinline__ u64 nanoseconds() {
#ifdef CPU_CARD
  return 0;
#else
  u64 now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
#endif
}
// Waits for a call's answer. Whether there is none: it was refused, or the other side is gone, or has taken too long, and then nobody waits for it any more. This ends by itself: the
// process that could end it may be in a call that waits for this kernel.
__device__ __forceinline__ bool isLostCall(const Link &link, u32 turn) {
  const u64 until = nanoseconds() + WAIT_NS;
  for (;;) {
    const uint4 v = hostWords(link.answered);
    if (v.z != 0) return true;
    if (v.x == turn) return v.y != 0;
    if (nanoseconds() > until) {
      putHostWord(link.answered + 2, 1);
      return true;
    }
  }
}

// routed[row] = what came back of rows that were sent, once it is there; lost[row] = 1 of those that have no answer, whose routed rows are 0. *waited takes the nanoseconds that
// all of it was waited for, added up, and *told the same for the process. Grid (rows, or fewer): a block has one row in each round of the grid, and blocks that wait leave room for what they wait for; 256 threads.
extern "C" __global__ void __launch_bounds__(256) receiveRows(const int *away, const Link *links, const u32 *turns, float *routed, int *lost, u64 *waited, u64 *told, int width, int linkCount, int rowCount) {
  awaitAlone();
  __shared__ bool isLost;
  for (int row = blockIdx.x; row < rowCount; row += gridDim.x) {
    const int link = away[row];
    if (threadIdx.x == 0) {
      isLost = link >= 0 && isLostCall(links[link], turns[2 * link + 1]);
      if (row == 0) {
        const u64 began = nanoseconds();
        for (int l = 0; l < linkCount; l++)
          if (turns[2 * l + 1] != 0) isLostCall(links[l], turns[2 * l + 1]);
        const u64 all = *waited + (nanoseconds() - began);
        *waited = all, *told = all;
      }
      fenceHost();
    }
    __syncthreads();
    if (row + (int)gridDim.x >= rowCount) letNextCome();
    const long long at = (long long)row * width;
    if (link >= 0 && isLost) {
      if (threadIdx.x == 0) lost[row] = 1;
      for (int i = 4 * threadIdx.x; i < width; i += 4 * 256) *(float4 *)(routed + at + i) = make_float4(0.f, 0.f, 0.f, 0.f);
    } else if (link >= 0) {
      eachHostFour(links[link].y + at, width, [&](int i, float4 v) { *(float4 *)(routed + at + i) = v; });
    }
    // The next row's turn writes what this one's threads have read.
    __syncthreads();
  }
}
