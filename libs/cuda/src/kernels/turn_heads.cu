// Queries, keys and values of tiles' rows, [rows, 3 * WIDTH], in place: with their bias, and pairs of neighbours of queries and keys turned by their row's angles (cosine and sine,
// [rows of a tile, HEAD / 2]). Grid (3 * WIDTH / 512 rounded up, rows), 256 threads.
extern "C" __global__ void __launch_bounds__(256) turnHeads(float *qkv, const float *bias, const float2 *angles, int tileRows) {
  awaitPrevious();
  const int pair = blockIdx.x * 256 + threadIdx.x;
  if (pair >= 3 * WIDTH / 2) return;
  float2 *at = (float2 *)(qkv + (long long)blockIdx.y * 3 * WIDTH) + pair;
  const float2 more = ((const float2 *)bias)[pair], own = *at;
  const float2 sum = {own.x + more.x, own.y + more.y};
  if (pair >= WIDTH) {
    *at = sum;
    return;
  }
  const float2 turn = angles[(long long)(blockIdx.y % tileRows) * (HEAD / 2) + pair % (HEAD / 2)];
  *at = float2{sum.x * turn.x - sum.y * turn.y, sum.x * turn.y + sum.y * turn.x};
}
