// Patches of tiles as rows of activations: number (channel, y, x) of a patch is its grey level over 127.5, less 1; pixels are [tiles, GRID * PATCH, GRID * PATCH, 3]. Behind the last
// number up to WIDTH there are zeros. Grid (GRID * GRID, tiles), 128 threads.
extern "C" __global__ void __launch_bounds__(128) patches(const u8 *pixels, Activation *x, int stride) {
  awaitPrevious();
  constexpr int SIDE = GRID * PATCH, AREA = PATCH * PATCH;
  const int row = blockIdx.x / GRID * PATCH, column = blockIdx.x % GRID * PATCH;
  const u8 *from = pixels + (long long)blockIdx.y * SIDE * SIDE * 3;
  Activation *to = x + ((long long)blockIdx.y * gridDim.x + blockIdx.x) * rowSize(stride);
  for (int i = threadIdx.x; i < WIDTH; i += 128) {
    const int channel = i / AREA, at = i % AREA;
    const float grey = i < 3 * AREA ? (float)from[((row + at / PATCH) * SIDE + column + at % PATCH) * 3 + channel] : 127.5f;
    putNumber(to, stride, i, grey / 127.5f - 1.f);
  }
}
