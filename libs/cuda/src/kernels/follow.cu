// The tokens of a step's rows, which the step before it has drawn: ids[row] is what top has at from[row], or, where that is negative, what begins the record at -1 - from[row] of `drawn`, of so
// many words each; 0 for what is no token of so many. Grid (1), a thread a row.
extern "C" __global__ void follow(const int *from, const int *top, const int *drawn, int *ids, int recordWords, int vocabSize) {
  awaitPrevious();
  const int place = from[threadIdx.x], id = place >= 0 ? top[place] : drawn[(-1 - place) * recordWords];
  ids[threadIdx.x] = id < 0 || id >= vocabSize ? 0 : id;
}
