#if WIDTH == 1
typedef u8 Element;
#elif WIDTH == 2
typedef u16 Element;
#else
typedef u32 Element;
#endif
// out[column, row] = source[row, column], elements of WIDTH bytes. Grid (columns / 32, rows / 32), each rounded up, 256 threads.
extern "C" __global__ void __launch_bounds__(256) turn(const Element *source, Element *out, int rows, int columns) {
  awaitPrevious();
  __shared__ Element tile[32][33];
  const int x = threadIdx.x & 31, y = threadIdx.x >> 5, row = blockIdx.y * 32, column = blockIdx.x * 32;
  for (int i = y; i < 32; i += 8)
    if (row + i < rows && column + x < columns) tile[i][x] = source[(long long)(row + i) * columns + column + x];
  __syncthreads();
  for (int i = y; i < 32; i += 8)
    if (column + i < columns && row + x < rows) out[(long long)(column + i) * rows + row + x] = tile[x][i];
}
