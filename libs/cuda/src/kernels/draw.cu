// One token of each row that is drawn from its logits [rows, count], as libs/sampling draws it: scores change in the order of Draw's lists, each in f64 and rounded to f32 once; of temperature 0
// the greatest one's token is taken, the lowest id among equals; else each weighs e^((score - best) / temperature), those below e^exponentLeast nothing; the topK best are left, and of these as
// many of the best as weigh topP of all; and the token lies at `share` of the weights that are left, by rising id. Sums of weights are rounded otherwise than a CPU's, by less than
// MARGIN of the whole: where that could change the token, it is said to be unsure.
struct Draw {
  double temperature, exponentLeast, topP, share, repetition, presence, frequency;
  // Row of the logits; places in `words` of the mask (negative: there is none), of banned ids, of biases' ids (and in `values` of the biases), of ids that the repetition penalty is of, and of pairs of an id and its count.
  int row, topK, mask, bans, banCount, biases, biasCount, biasValues, seen, seenCount, output, outputCount;
};
struct Drawn {
  int id;
  float logit;
  int isSure;
};
constexpr double MARGIN = 1e-10;
// The score of what may not come.
#define NEVER __uint_as_float(0xff800000u)
// Scores share their first bits: neighbours count in sums of their own, so that they do not wait for each other.
constexpr int BINS = 256, COPIES = 8, CHUNKS = THREADS / 32;
#ifdef CPU_CARD
inline double product(double a, double b) { return a * b; }
inline double sum(double a, double b) { return a + b; }
#else
// Rounded twice, as the CPU does it.
__device__ __forceinline__ double product(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ double sum(double a, double b) { return __dadd_rn(a, b); }
#endif

// Rises with the score.
__device__ __forceinline__ u32 keyOf(float x) {
  const u32 bits = __float_as_uint(x == 0.f ? 0.f : x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// What is left of a row: of those whose weight counts, keys above the cut's, and of its own key ids up to the cut's.
struct Row {
  const float *scores;
  double best, temperature, exponentLeast;
  u32 cutKey;
  int cutId, count;
  __device__ __forceinline__ double exponent(int i) const { return ((double)scores[i] - best) / temperature; }
  __device__ __forceinline__ bool isLeft(int i) const {
    const u32 key = keyOf(scores[i]);
    return (key > cutKey || (key == cutKey && i <= cutId)) && exponent(i) >= exponentLeast;
  }
};

// The greatest score and its lowest id.
__device__ __forceinline__ Best rowBest(const float *scores, int count, Best *room) {
  Best best = {NEVER, 0x7fffffff};
  for (int i = threadIdx.x; i < count; i += THREADS) {
    const Best next = {scores[i], i};
    if (isBetter(next, best)) best = next;
  }
  best = warpBest(best);
  if ((threadIdx.x & 31) == 0) room[threadIdx.x >> 5] = best;
  __syncthreads();
  best = room[0];
  for (int w = 1; w < CHUNKS; w++)
    if (isBetter(room[w], best)) best = room[w];
  return best;
}

// Sums of what threads have, up to each warp's first one and up to each thread's own within its warp; returns the whole.
__device__ __forceinline__ double scan(double own, double *parts, double *warps) {
  parts[threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.x < CHUNKS) {
    double all = 0;
    for (int i = 0; i < 32; i++) {
      const double each = parts[32 * threadIdx.x + i];
      parts[32 * threadIdx.x + i] = all;
      all += each;
    }
    warps[threadIdx.x] = all;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double all = 0;
    for (int w = 0; w < CHUNKS; w++) {
      const double each = warps[w];
      warps[w] = all;
      all += each;
    }
    warps[CHUNKS] = all;
  }
  __syncthreads();
  return warps[CHUNKS];
}

extern "C" __global__ void __launch_bounds__(THREADS) draw(const float *logits, float *scratch, const Draw *draws, const int *words, const double *values, Drawn *drawn, int count) {
  awaitPrevious();
  __shared__ Best room[CHUNKS];
  __shared__ double parts[THREADS], warps[CHUNKS + 1], weights[BINS][COPIES], reached;
  __shared__ int counts[BINS][COPIES], chosen, left, found;
  const Draw of = draws[blockIdx.x];
  const float *own = logits + (long long)of.row * count;
  float *scores = scratch + (long long)blockIdx.x * count;
  Drawn *out = drawn + blockIdx.x;
  const int thread = threadIdx.x;
  for (int i = thread; i < count; i += THREADS) scores[i] = of.mask < 0 || (u32)words[of.mask + (i >> 5)] >> (i & 31) & 1 ? own[i] : NEVER;
  __syncthreads();
  for (int i = thread; i < of.banCount; i += THREADS) scores[words[of.bans + i]] = NEVER;
  __syncthreads();
  for (int i = thread; i < of.biasCount; i += THREADS) {
    float *score = scores + words[of.biases + i];
    *score = (float)((double)*score + values[of.biasValues + i]);
  }
  __syncthreads();
  for (int i = thread; i < of.seenCount; i += THREADS) {
    float *score = scores + words[of.seen + i];
    *score = (float)(*score > 0.f ? (double)*score / of.repetition : (double)*score * of.repetition);
  }
  __syncthreads();
  for (int i = thread; i < of.outputCount; i += THREADS) {
    float *score = scores + words[of.output + 2 * i];
    *score = (float)sum(sum(*score, -product(of.frequency, words[of.output + 2 * i + 1])), -of.presence);
  }
  __syncthreads();
  const Best best = rowBest(scores, count, room);
  if (!(of.temperature > 0) || best.value == NEVER) {
    const int id = best.index < count ? best.index : 0;
    if (thread == 0) *out = Drawn{id, own[id], 1};
    return;
  }
  Row row = {scores, best.value, of.temperature, of.exponentLeast, 0u, 0x7fffffff, count};
  // Each thread's own ids, one behind the other.
  const int each = (count + THREADS - 1) / THREADS, from = thread * each < count ? thread * each : count, to = from + each < count ? from + each : count;
  // First by number, then by weight: the key of the last one that is left, a byte at a time, and then its id among equals.
  for (int isWeight = 0; isWeight < 2; isWeight++) {
    if (isWeight ? !(of.topP < 1) : of.topK <= 0) continue;
    double limit = of.topK, margin = 0, before = 0;
    if (isWeight) {
      double mine = 0;
      for (int i = from; i < to; i++)
        if (row.isLeft(i)) mine += exp(row.exponent(i));
      const double all = scan(mine, parts, warps);
      limit = of.topP * all, margin = MARGIN * all;
      __syncthreads();
    }
    u32 key = 0;
    bool isCut = true;
    for (int shift = 24; shift >= 0 && isCut; shift -= 8) {
      for (int i = thread; i < BINS * COPIES; i += THREADS) counts[i / COPIES][i % COPIES] = 0, weights[i / COPIES][i % COPIES] = 0;
      __syncthreads();
      for (int i = thread; i < count; i += THREADS) {
        const u32 its = keyOf(scores[i]);
        if ((shift < 24 && its >> (shift + 8) != key >> (shift + 8)) || !row.isLeft(i)) continue;
        atomicAdd(&counts[its >> shift & 255][thread % COPIES], 1);
        if (isWeight) atomicAdd(&weights[its >> shift & 255][thread % COPIES], exp(row.exponent(i)));
      }
      __syncthreads();
      for (int i = thread; i < BINS; i += THREADS)
        for (int copy = 1; copy < COPIES; copy++) counts[i][0] += counts[i][copy], weights[i][0] += weights[i][copy];
      __syncthreads();
      if (thread == 0) {
        double all = before;
        int bin = BINS - 1;
        for (; bin >= 0; bin--) {
          const double more = isWeight ? weights[bin][0] : (double)counts[bin][0];
          if (counts[bin][0] > 0 && all + more >= limit) break;
          all += more;
        }
        chosen = bin, left = bin < 0 ? 0 : counts[bin][0], reached = all;
      }
      __syncthreads();
      isCut = chosen >= 0;
      if (isCut) key |= (u32)chosen << shift, before = reached;
      __syncthreads();
    }
    // All together do not reach it: nothing is left out by number; by weight that is a matter of rounding.
    if (!isCut) {
      if (!isWeight) continue;
      if (thread == 0) *out = Drawn{0, 0.f, 0};
      return;
    }
    int wanted = (int)(limit - before);
    if (isWeight) {
      const double one = exp(((double)__uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key) - row.best) / row.temperature);
      const double more = ceil((limit - before) / one);
      wanted = more < 1 ? 1 : more > left ? left : (int)more;
      const double with = before + wanted * one - limit, without = limit - (before + (wanted - 1) * one);
      if (with < margin || without < margin) {
        if (thread == 0) *out = Drawn{0, 0.f, 0};
        return;
      }
    }
    int cutId = 0x7fffffff;
    if (wanted < left) {
      int mine = 0;
      for (int i = from; i < to; i++) mine += keyOf(scores[i]) == key && row.isLeft(i);
      scan(mine, parts, warps);
      int at = (int)(warps[thread >> 5] + parts[thread]);
      if (at < wanted && at + mine >= wanted)
        for (int i = from; i < to; i++)
          if (keyOf(scores[i]) == key && row.isLeft(i) && ++at == wanted) found = i;
      __syncthreads();
      cutId = found;
      __syncthreads();
    }
    if (key == row.cutKey) row.cutId = cutId < row.cutId ? cutId : row.cutId;
    else row.cutKey = key, row.cutId = cutId;
  }
  double mine = 0;
  for (int i = from; i < to; i++)
    if (row.isLeft(i)) mine += exp(row.exponent(i));
  const double all = scan(mine, parts, warps), target = of.share * all, margin = MARGIN * all;
  double at = warps[thread >> 5] + parts[thread];
  if (thread == 0) found = -1;
  __syncthreads();
  if (at <= target && at + mine > target) {
    for (int i = from; i < to; i++) {
      if (!row.isLeft(i)) continue;
      const double next = at + exp(row.exponent(i));
      if (next > target) {
        if (next - target >= margin && (target - at >= margin || at == 0)) found = i;
        break;
      }
      at = next;
    }
  }
  __syncthreads();
  if (thread == 0) *out = found < 0 ? Drawn{0, 0.f, 0} : Drawn{found, own[found], 1};
}
