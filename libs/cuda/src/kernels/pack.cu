// Weights of 4 bits as MatMulNBits has them, q [n, k / 2] with the lower nibble first and scales [n, k / BLOCK], to tiles of 16 outputs and 64 inputs as
// tensor_linear.cu reads them: a lane's 16 bytes are its own operands of four matrix instructions. n is a multiple of 16, k of 64 and of BLOCK.
// A lane has outputs g = lane / 4 and g + 8, and inputs [16 t, 16 t + 16), t = lane % 4; its word s has inputs 4 s to 4 s + 3 of both.
// Grid (k / 64, n / 16), 128 threads.
extern "C" __global__ void __launch_bounds__(128) pack(const u8 *q, const float *scales, u32 *tiles, float2 *pairs, int n, int k) {
  const int chunk = blockIdx.x, tile = blockIdx.y, lane = threadIdx.x >> 2, step = threadIdx.x & 3, g = lane >> 2, t = lane & 3;
  const u8 *low = q + ((long long)(tile * 16 + g) * k + 64 * chunk + 16 * t + 4 * step) / 2, *high = low + (long long)8 * k / 2;
  u32 word = 0;
  for (int i = 0; i < 2; i++) {
    word |= (u32)(low[i] & 15) << (8 * i) | (u32)(low[i] >> 4) << (8 * i + 16);
    word |= (u32)(high[i] & 15) << (8 * i + 4) | (u32)(high[i] >> 4) << (8 * i + 20);
  }
  tiles[(((long long)tile * (k / 64) + chunk) * 32 + lane) * 4 + step] = word;
  if (64 * chunk % BLOCK == 0 && threadIdx.x < 8) {
    const int blocks = k / BLOCK, block = 64 * chunk / BLOCK, row = tile * 16 + threadIdx.x;
    pairs[((long long)tile * blocks + block) * 8 + threadIdx.x] = make_float2(scales[(long long)row * blocks + block], scales[(long long)(row + 8) * blocks + block]);
  }
}
