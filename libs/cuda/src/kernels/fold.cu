// Attention over what other workers keep, taken into that over what is here: y [rows, heads * HEAD] as activations and lse [rows, heads], as attention.cu's merge has made them, with
// given [rows, heads * HEAD] and givenLse [rows, heads], which may lie in a process's pinned memory. Where givenLse is not above NONE, nothing was given. Grid (heads, rows), HEAD threads.
extern "C" __global__ void fold(const float *given, const float *givenLse, const float *lse, Activation *y, int stride) {
  awaitPrevious();
  const int row = blockIdx.y, i = blockIdx.x * HEAD + threadIdx.x;
  const long long head = (long long)row * gridDim.x + blockIdx.x;
  const float a = lse[head], b = givenLse[head];
  if (!(b > NONE)) return;
  const float peak = a > b ? a : b, own = expf(a - peak), theirs = expf(b - peak);
  Activation *to = y + row * rowSize(stride);
  float x = value(to[placeOf<>(i)]);
  if (TERMS == 2) x += value(to[stride + placeOf<>(i)]);
  putNumber(to, stride, i, (x * own + given[head * HEAD + threadIdx.x] * theirs) / (own + theirs));
}
