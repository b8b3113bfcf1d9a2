// y[row] = W x[row], W [n, k] row-major as WEIGHT says, all in f32; sums always in the same order: a row's product does not depend
// on the rows beside it. k is a multiple of 8; of blocks the last one is filled up. Without jobs, all rows times the first matrix.
// WEIGHT: 0 f32, 1 bf16, 2 e4m3 with a scale an output, 4 and 8 integers of so many bits in blocks of BLOCK inputs with a scale each.
// Grid (outputs / 16 rounded up, jobs), 128 threads: a warp has four outputs and up to eight rows; its lanes share k.
struct Matrix {
  const u8 *weights;
  const float *scales;
};
constexpr int ROWS = 8, OUTPUTS = 4, PART = 8;

#if WEIGHT == 2
// Eight numbers of one sign, four exponent and three fraction bits: as floats they lack 2^120. 0x7f is no number.
__device__ __forceinline__ float e4m3(u32 bits) {
  const float magnitude = (bits & 0x7fu) == 0x7fu ? __uint_as_float(0x7fc00000u) : __uint_as_float((bits & 0x7fu) << 20) * 1.329227995784916e36f;
  return bits & 0x80u ? -magnitude : magnitude;
}
#endif

// Inputs [at, at + 8) of output `row`.
__device__ __forceinline__ void weights8(const Matrix &matrix, int row, int at, int k, float *w) {
#if WEIGHT == 0
  unpack16((const float *)matrix.weights + (long long)row * k + at, w);
  unpack16((const float *)matrix.weights + (long long)row * k + at + 4, w + 4);
#elif WEIGHT == 1
  unpack16((const bf16 *)matrix.weights + (long long)row * k + at, w);
#elif WEIGHT == 2
  const uint2 bytes = *(const uint2 *)(matrix.weights + (long long)row * k + at);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    w[i] = e4m3(bytes.x >> (8 * i) & 255u);
    w[4 + i] = e4m3(bytes.y >> (8 * i) & 255u);
  }
#elif WEIGHT == 4
  const long long blocks = (k + BLOCK - 1) / BLOCK;
  const u32 bytes = *(const u32 *)(matrix.weights + (row * blocks * BLOCK + at) / 2);
  const float scale = matrix.scales[row * blocks + at / BLOCK];
#pragma unroll
  for (int i = 0; i < 8; i++) w[i] = scale * (float)((int)(bytes >> (4 * i) & 15u) - 8);
#elif WEIGHT == 8
  const long long blocks = (k + BLOCK - 1) / BLOCK;
  const uint2 bytes = *(const uint2 *)(matrix.weights + row * blocks * BLOCK + at);
  const float scale = matrix.scales[row * blocks + at / BLOCK];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    w[i] = scale * (float)((int)(bytes.x >> (8 * i) & 255u) - 128);
    w[4 + i] = scale * (float)((int)(bytes.y >> (8 * i) & 255u) - 128);
  }
#endif
}

__device__ __forceinline__ void inputs8(const float *at, float *x) {
  unpack16(at, x);
  unpack16(at + 4, x + 4);
}

extern "C" __global__ void __launch_bounds__(128) linear(const Matrix *matrices, const Job *jobs, const int *jobCount, const int *order, const float *x, float *y, int rowCount, int n, int k) {
  awaitPrevious();
  if (jobs && (int)blockIdx.y >= *jobCount) return;
  const int start = blockIdx.y * ROWS;
  const Job job = jobs ? jobs[blockIdx.y] : Job{0, start, rowCount - start < ROWS ? rowCount - start : ROWS, 0};
  const Matrix matrix = matrices[job.matrix];
  const int lane = threadIdx.x & 31, output = (blockIdx.x * 4 + (threadIdx.x >> 5)) * OUTPUTS;
  if (output >= n) return;
  int rows[ROWS];
  float sums[OUTPUTS][ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const int place = job.first + (r < job.count ? r : job.count - 1);
    rows[r] = order ? order[place] : place;
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) sums[o][r] = 0.f;
  }
  for (int at = lane * PART; at < k; at += 32 * PART) {
    float w[OUTPUTS][PART];
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) weights8(matrix, output + o < n ? output + o : n - 1, at, k, w[o]);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      if (r >= job.count) break;
      float v[PART];
      inputs8(x + (long long)rows[r] * k + at, v);
#pragma unroll
      for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
        for (int i = 0; i < PART; i++) sums[o][r] += w[o][i] * v[i];
    }
  }
  // Lane l ends with the sum over all lanes of the l-th of a lane's 32: those that share a bit of l exchange halves.
  float *each = &sums[0][0];
#pragma unroll
  for (int half = 16; half > 0; half >>= 1)
#pragma unroll
    for (int i = 0; i < half; i++) {
      const bool isUpper = lane & half;
      const float kept = isUpper ? each[i + half] : each[i], given = isUpper ? each[i] : each[i + half];
      each[i] = kept + __shfl_xor_sync(ALL_LANES, given, half);
    }
  const int r = lane % ROWS, o = output + lane / ROWS;
  if (r >= job.count || o >= n) return;
#if WEIGHT == 2
  each[0] *= matrix.scales[o];
#endif
  const int place = job.first + r;
  y[(long long)(order ? order[place] : place) * n + o] = each[0];
}
