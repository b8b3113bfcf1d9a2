// A card, through the driver's own calls.

export type { Stream } from "./driver/cuda-device.ts";
export { type CardReport, type CardsReport, inspectCards } from "./driver/inspect-cards.ts";
export { CUDA_LIBRARIES, type Cuda, type CudaLibraries, countCards, openCuda } from "./driver/open-cuda.ts";
// Routed experts on it, for rows of this and other workers.
export { CardExperts, type CardExpertsOptions } from "./experts/card-experts.ts";
// The text model on it.
export { PRECISIONS, type Precision } from "./kernels/activations.ts";
export { DECODE_ROWS_MAX, KV_AUTO_SPARED } from "./limits.ts";
export type { DirectRows } from "./links/step-links.ts";
export { type DeviceMemory, MEMORY_KINDS, type MemoryKind } from "./memory/device-memory.ts";
export { CudaText, type CudaTextOptions } from "./model/cuda-text.ts";
export type { TextSource } from "./model/device-weights.ts";
export type { RemoteExperts } from "./model/step-exchange.ts";
// An attention worker's steps on it.
export { CudaRunner } from "./runner/cuda-runner.ts";
// Segments of other workers' contexts on it.
export { CardContext, type CardContextOptions } from "./stripes/card-context.ts";
// The vision encoder on it.
export { CardVision, type CardVisionOptions } from "./vision/card-vision.ts";
export { visionMisfit } from "./vision/vision-misfit.ts";
