// Rows of stored numbers (source.cuh) as f32, [rows, k]. Grid (rows), any block.
extern "C" __global__ void floats(const u8 *source, const float *stored, float *out, int k, int lineBytes, int groupSize) {
  awaitPrevious();
  const Row row = rowOf(source, stored, blockIdx.x, k, lineBytes, groupSize);
  for (int i = threadIdx.x; i < k; i += blockDim.x) out[(long long)blockIdx.x * k + i] = row[i];
}
