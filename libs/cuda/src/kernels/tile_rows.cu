// Rows of tiles from those of their patches: h[t, i] = projected[t, i] + positions[i], and the last row of each tile, the class's, is classRow + positions. Grid (rows of a tile, tiles), 128 threads.
extern "C" __global__ void __launch_bounds__(128) tileRows(const float *projected, const float *classRow, const float *positions, float *h, int width) {
  awaitPrevious();
  const int row = blockIdx.x, patchCount = gridDim.x - 1;
  const float *from = row < patchCount ? projected + ((long long)blockIdx.y * patchCount + row) * width : classRow;
  float *to = h + ((long long)blockIdx.y * gridDim.x + row) * width;
  for (int i = threadIdx.x; i < width; i += 128) to[i] = from[i] + positions[(long long)row * width + i];
}
