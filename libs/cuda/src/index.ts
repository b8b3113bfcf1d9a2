// A card, through the driver's own calls.
export { CUDA_LIBRARIES, type Cuda, type CudaLibraries, countCards, openCuda } from "./driver/open-cuda.ts";
// The text model on it.
export { CudaText, type CudaTextOptions } from "./model/cuda-text.ts";
