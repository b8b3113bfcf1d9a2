// y[row] = W x[row] by matrix instructions: W [n, k] of 4 bits in tiles (pack.cu), with a scale for each BLOCK of inputs, 64 or 128; x f16, sums f32. n is a multiple of
// 16 TILES, k of 64 and of BLOCK. A block of WARPS warps has 16 TILES outputs and up to 8 GROUPS rows; its warps divide k, and add their sums in the order of
// the warps: a row's product does not depend on the rows beside it, nor on how many there are, as long as WARPS is the same.
// Without jobs, all rows times the first matrix. Grid (n / 16 / TILES, jobs), 32 WARPS threads.
struct Matrix {
  const uint4 *tiles;
  const float2 *pairs;
};
constexpr int HALVES = BLOCK / 64;

// Two numbers of 4 bits, in bits 0 to 3 and 16 to 19, less 8: as f16 with 1024 put on and taken off.
__device__ __forceinline__ u32 two(u32 word) {
#ifdef CPU_CARD
  return (u32)halfBits((float)(word & 15u) - 8.f) | (u32)halfBits((float)(word >> 16 & 15u) - 8.f) << 16;
#else
  u32 pair;
  asm("lop3.b32 %0, %1, 0x000f000f, 0x64006400, 0xea;" : "=r"(pair) : "r"(word));
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(pair) : "r"(pair), "r"(0x64086408));
  return pair;
#endif
}

// c [16, 8] += a [16, 16] b [16, 8].
__device__ __forceinline__ void multiplyAdd(float *c, const u32 *a, u32 b0, u32 b1) {
#ifdef CPU_CARD
  struct Operands {
    u32 a[4], b[2];
  };
  const Operands own = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  card::together(own, [&](auto read, int lane) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; i++)
      for (int input = 0; input < 16; input++) {
        const Operands row = read(4 * g + input / 2 % 4), column = read(4 * (2 * t + i % 2) + input / 2 % 4);
        const u32 w = row.a[i / 2 + input / 8 * 2] >> (16 * (input % 2)), v = column.b[input / 8] >> (16 * (input % 2));
        c[i] += value(f16{(u16)w}) * value(f16{(u16)v});
      }
    return 0;
  });
#else
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// Weights are read once: they need not stay in the cache.
__device__ __forceinline__ uint4 once(const uint4 *at) {
#ifdef CPU_CARD
  return *at;
#else
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at));
  return v;
#endif
}

struct Weights {
  uint4 words[TILES][HALVES];
  float2 pairs[TILES];
};
__device__ __forceinline__ void fetch(Weights &into, const Matrix &matrix, int tile, int block, int k, int lane) {
#pragma unroll
  for (int m = 0; m < TILES; m++) {
    const uint4 *at = matrix.tiles + ((long long)(tile + m) * (k / 64) + block * HALVES) * 32 + lane;
#pragma unroll
    for (int h = 0; h < HALVES; h++) into.words[m][h] = once(at + 32 * h);
    into.pairs[m] = __ldg(matrix.pairs + ((long long)(tile + m) * (k / BLOCK) + block) * 8 + lane / 4);
  }
}

extern "C" __global__ void __launch_bounds__(WARPS * 32) tensorLinear(const Matrix *matrices, const Job *jobs, const int *jobCount, const int *order, const f16 *x, float *y, int rowCount, int n, int k) {
  if (jobs && (int)blockIdx.y >= *jobCount) return;
  constexpr int ROWS = 8 * GROUPS;
  const int start = blockIdx.y * ROWS;
  const Job job = jobs ? jobs[blockIdx.y] : Job{0, start, rowCount - start < ROWS ? rowCount - start : ROWS, 0};
  const Matrix matrix = matrices[job.expert];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
  const int tile = blockIdx.x * TILES, blocks = k / BLOCK, from = warp * blocks / WARPS, to = (warp + 1) * blocks / WARPS;
  const uint4 *inputs[GROUPS];
#pragma unroll
  for (int r = 0; r < GROUPS; r++) {
    const int place = job.first + (8 * r + g < job.count ? 8 * r + g : job.count - 1);
    inputs[r] = (const uint4 *)(x + (long long)(order ? order[place] : place) * k + 16 * t);
  }
  float sums[TILES][GROUPS][4] = {};
  Weights next;
  if (from < to) fetch(next, matrix, tile, from, k, lane);
  for (int block = from; block < to; block++) {
    const Weights now = next;
    if (block + 1 < to) fetch(next, matrix, tile, block + 1, k, lane);
    float part[TILES][GROUPS][4] = {};
#pragma unroll
    for (int h = 0; h < HALVES; h++) {
      u32 b[GROUPS][8];
#pragma unroll
      for (int r = 0; r < GROUPS; r++) {
        const uint4 *at = inputs[r] + (block * BLOCK + 64 * h) / 8;
        const uint4 first = __ldg(at), second = __ldg(at + 1);
        b[r][0] = first.x, b[r][1] = first.y, b[r][2] = first.z, b[r][3] = first.w;
        b[r][4] = second.x, b[r][5] = second.y, b[r][6] = second.z, b[r][7] = second.w;
      }
#pragma unroll
      for (int m = 0; m < TILES; m++) {
        const u32 words[4] = {now.words[m][h].x, now.words[m][h].y, now.words[m][h].z, now.words[m][h].w};
#pragma unroll
        for (int s = 0; s < 4; s++) {
          const u32 a[4] = {two(words[s]), two(words[s] >> 4), two(words[s] >> 8), two(words[s] >> 12)};
#pragma unroll
          for (int r = 0; r < GROUPS; r++) multiplyAdd(part[m][r], a, b[r][2 * s], b[r][2 * s + 1]);
        }
      }
    }
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
      for (int r = 0; r < GROUPS; r++)
#pragma unroll
        for (int i = 0; i < 4; i++) sums[m][r][i] += (i < 2 ? now.pairs[m].x : now.pairs[m].y) * part[m][r][i];
  }
  __shared__ float4 room[WARPS][TILES * GROUPS][32];
#pragma unroll
  for (int m = 0; m < TILES; m++)
#pragma unroll
    for (int r = 0; r < GROUPS; r++) room[warp][m * GROUPS + r][lane] = make_float4(sums[m][r][0], sums[m][r][1], sums[m][r][2], sums[m][r][3]);
  __syncthreads();
  // One number each: output `o` of row `row`, which lane 4 (o % 8) + row / 2 of the instruction's layout has.
  for (int i = threadIdx.x; i < TILES * 16 * ROWS; i += WARPS * 32) {
    const int o = i % (TILES * 16), row = i / (TILES * 16);
    if (row >= job.count) continue;
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      const float *four = (const float *)&room[w][o / 16 * GROUPS + row / 8][4 * (o % 8) + row % 8 / 2];
      sum += four[o % 16 / 8 * 2 + row % 2];
    }
    const int place = job.first + row;
    y[(long long)(order ? order[place] : place) * n + tile * 16 + o] = sum;
  }
}
