// Rows to experts: see route.cuh. One block.
extern "C" __global__ void __launch_bounds__(1024) route(const float *logits, const int *live, const int *places, int *chosen, float *scales, int *order, Job *jobs, int *jobCount, int expertCount, int stride, int column, int shared, int fold) {
  awaitPrevious();
  routeRows(logits, live, places, chosen, scales, order, jobs, jobCount, expertCount, stride, column, shared, fold);
}
