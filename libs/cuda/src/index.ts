// A card, through the driver's own calls.
export { CUDA_LIBRARIES, type Cuda, type CudaLibraries, countCards, openCuda } from "./driver/open-cuda.ts";
// The text model on it.
export { PRECISIONS, type Precision } from "./kernels/activations.ts";
export { DECODE_ROWS_MAX } from "./limits.ts";
export { CudaText, type CudaTextOptions } from "./model/cuda-text.ts";
// An attention worker's steps on it.
export { CudaRunner } from "./runner/cuda-runner.ts";
