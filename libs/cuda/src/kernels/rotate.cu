// One row's queries, keys and values as they leave their projection, [rows, (QUERY_HEADS + 2 KV_HEADS) * HEAD]: rotation by pairs of neighbours where angles is not
// null (cosine and sine, [CHUNK positions, HEAD / 2]), then each head over its own rms where epsilon > 0, then queries times their row's temperature where that is
// not null. Queries go to q; keys and values to their row's slot in the pages, a negative one nowhere.
// A page of a layer is its keys, [PAGE_ROWS, KV_HEADS, HEAD], and then its values; slot = page * PAGE_ROWS + row. Grid (heads, rows), 32 threads.
constexpr int HALF = HEAD / 2, PAIRS = (HALF + 31) / 32;
extern "C" __global__ void __launch_bounds__(32) rotate(const float *qkv, float *q, KV *pages, const int *positions, const int *slots, const float2 *angles, const float *temperatures, int layer, float epsilon) {
  letNextCome();
  awaitPrevious();
  const int head = blockIdx.x, row = blockIdx.y, lane = threadIdx.x;
  const bool isValue = head >= QUERY_HEADS + KV_HEADS, isQuery = head < QUERY_HEADS;
  const float2 *from = (const float2 *)(qkv + ((long long)row * (QUERY_HEADS + 2 * KV_HEADS) + head) * HEAD);
  const int position = positions[row] < 0 ? 0 : positions[row];  // an idle row has none
  float2 pair[PAIRS];
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    const int at = lane + 32 * i;
    pair[i] = at < HALF ? from[at] : make_float2(0.f, 0.f);
    if (angles && !isValue && at < HALF) {
      const float2 turn = angles[(long long)(position % CHUNK) * HALF + at];
      pair[i] = make_float2(pair[i].x * turn.x - pair[i].y * turn.y, pair[i].x * turn.y + pair[i].y * turn.x);
    }
    sum += pair[i].x * pair[i].x + pair[i].y * pair[i].y;
  }
  float factor = 1.f;
  if (epsilon > 0.f && !isValue) factor = 1.f / sqrtf(warpSum(sum) / HEAD + epsilon);
  if (isQuery) {
    if (temperatures) factor *= temperatures[row];
    float2 *to = (float2 *)(q + ((long long)row * QUERY_HEADS + head) * HEAD);
#pragma unroll
    for (int i = 0; i < PAIRS; i++)
      if (lane + 32 * i < HALF) to[lane + 32 * i] = make_float2(pair[i].x * factor, pair[i].y * factor);
    return;
  }
  const int slot = slots[row];
  if (slot < 0) return;
  const long long page = slot / PAGE_ROWS + layer;
  KV *to = pages + (((page * 2 + isValue) * PAGE_ROWS + slot % PAGE_ROWS) * KV_HEADS + (head - QUERY_HEADS) % KV_HEADS) * HEAD;
  float peak = 0.f;
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    pair[i] = make_float2(pair[i].x * factor, pair[i].y * factor);
    const float larger = fabsf(pair[i].x) > fabsf(pair[i].y) ? fabsf(pair[i].x) : fabsf(pair[i].y);
    peak = larger > peak ? larger : peak;
  }
  const int code = codeOf(to, warpMax(peak));
#pragma unroll
  for (int i = 0; i < PAIRS; i++)
    if (lane + 32 * i < HALF) {
      putKv(to, 2 * (lane + 32 * i), pair[i].x, code);
      putKv(to, 2 * (lane + 32 * i) + 1, pair[i].y, code);
    }
}
