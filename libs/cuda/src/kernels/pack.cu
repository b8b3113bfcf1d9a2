// Rows of a matrix as a checkpoint stores them to tiles (tensor.cuh), WEIGHT being what they become. SOURCE: 4 and 8, integers in blocks of BLOCK inputs as MatMulNBits has
// them; 2, e4m3; 1, bf16 and 0, f32, which become f16 over a power of two for each output: what is 2^-27 of an output's greatest weight or more keeps bf16's bits.
// The rows from `first` on of n, which `stored` has the scales of; of GATED matrices, the gate's half and then the up's, tiles are in turns. Outputs and inputs that there are not are zero.
__device__ __forceinline__ long long tileOf(int row, int n, int isGated) {
  if (!isGated) return row / 16;
  return row < n / 2 ? row / 16 * 2 : (row - n / 2) / 16 * 2 + 1;
}

// The scales of each output, for SOURCE 0 to 2: a power of two of its greatest weight, or what is stored. Grid (rows), 128 threads.
extern "C" __global__ void __launch_bounds__(128) outputScales(const void *source, const float *stored, float2 *scales, int first, int n, int k, int isGated) {
  awaitPrevious();
  const int row = first + blockIdx.x;
  float scale = 0.f;
#if SOURCE < 2
  __shared__ float room[4];
#if SOURCE == 1
  const bf16 *from = (const bf16 *)source + (long long)blockIdx.x * k;
#else
  const float *from = (const float *)source + (long long)blockIdx.x * k;
#endif
  float peak = 0.f;
  for (int i = threadIdx.x; i < k; i += blockDim.x) peak = fabsf(value(from[i])) > peak ? fabsf(value(from[i])) : peak;
  peak = warpMax(peak);
  if ((threadIdx.x & 31) == 0) room[threadIdx.x >> 5] = peak;
  __syncthreads();
  for (int w = 0; w < 4; w++) peak = room[w] > peak ? room[w] : peak;
  // The exponent of the peak, less 14: over it the peak is below 2^15.
  const int exponent = (int)(__float_as_uint(peak) >> 23) - 14;
  scale = __uint_as_float((u32)(exponent < 1 ? 1 : exponent) << 23);
#else
  scale = stored[blockIdx.x] * 256.f;
#endif
  if (threadIdx.x == 0) ((float *)(scales + tileOf(row, n, isGated) * 8 + row % 8))[row % 16 / 8] = scale;
}

// Grid (inputs / 64 with what is filled up, (rows + 15) / 16), 128 threads. first is a multiple of 16.
extern "C" __global__ void __launch_bounds__(128) pack(const void *source, const float *stored, uint4 *tiles, float2 *scales, int first, int rows, int n, int k, int isGated) {
  awaitPrevious();
  const int chunk = blockIdx.x, lane = threadIdx.x >> 2, s = threadIdx.x & 3, g = lane >> 2, t = lane & 3;
  const int low = blockIdx.y * 16 + g, input = 64 * chunk + 16 * s + 4 * t;
  const long long tile = tileOf(first + blockIdx.y * 16, n, isGated);
  u8 *lanes = (u8 *)(tiles + (tile * gridDim.x + chunk) * WORDS * 32);
#if SOURCE == 4 || SOURCE == 8
  const int blocks = (k + BLOCK - 1) / BLOCK;
  const u8 *bytes = (const u8 *)source;
  int numbers[2][4];
  for (int high = 0; high < 2; high++)
    for (int j = 0; j < 4; j++) {
      const long long at = (long long)(low + 8 * high) * blocks * BLOCK + input + j;
      const bool isThere = low + 8 * high < rows && input + j < k;
      numbers[high][j] = !isThere ? (SOURCE == 4 ? 8 : 128) : SOURCE == 4 ? bytes[at / 2] >> 4 * (at & 1) & 15 : bytes[at];
    }
  if (input % BLOCK == 0 && t == 0)
    for (int high = 0; high < 2; high++)
      ((float *)(scales + (tile * gridDim.x * 64 / BLOCK + input / BLOCK) * 8 + g))[high] = low + 8 * high < rows && input < k ? stored[(long long)(low + 8 * high) * blocks + input / BLOCK] : 0.f;
#endif
#if WEIGHT == 4
  u32 word = 0;
  for (int high = 0; high < 2; high++)
    for (int j = 0; j < 4; j++) word |= (u32)numbers[high][j] << (4 * high + 8 * (j / 2) + 16 * (j % 2));
  ((u32 *)lanes)[lane * 4 + s] = word;
#elif WEIGHT == 8
  for (int j = 0; j < 4; j++)
    for (int high = 0; high < 2; high++) lanes[((s / 2) * 32 + lane) * 16 + s % 2 * 8 + j / 2 * 4 + 1 - high + j % 2 * 2] = (u8)numbers[high][j];
#elif WEIGHT == 2
  for (int j = 0; j < 4; j++)
    for (int high = 0; high < 2; high++) {
      const bool isThere = low + 8 * high < rows && input + j < k;
      lanes[((s / 2) * 32 + lane) * 16 + s % 2 * 8 + j / 2 * 4 + 1 - high + j % 2 * 2] = isThere ? ((const u8 *)source)[(long long)(low + 8 * high) * k + input + j] : 0;
    }
#else
#if SOURCE == 1
  const bf16 *from = (const bf16 *)source;
#else
  const float *from = (const float *)source;
#endif
  for (int high = 0; high < 2; high++) {
    const float scale = ((const float *)(scales + tile * 8 + g))[high];
    for (int j = 0; j < 4; j++) {
      const bool isThere = low + 8 * high < rows && input + j < k;
      ((u16 *)lanes)[(s * 32 + lane) * 8 + j / 2 * 4 + high * 2 + j % 2] = isThere ? halfBits(value(from[(long long)(low + 8 * high) * k + input + j]) / scale) : 0;
    }
  }
#endif
}
