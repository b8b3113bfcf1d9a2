// h[row] = table[ids[row]], as f32. STORED: the table's type. Grid (rows), any block.
extern "C" __global__ void embed(const int *ids, const STORED *table, float *h, int width) {
  awaitPrevious();
  const STORED *from = table + (long long)ids[blockIdx.x] * width;
  float *to = h + (long long)blockIdx.x * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) to[i] = value(from[i]);
}
