export type { AttentionWeights, FileExtent, GraphDims, LinearWeight, MappedLinear, MlpWeights } from "./dims.ts";
export type { ModelShape, VisionShape } from "./model-shape.ts";
export { elementCount, type TensorShape } from "./tensor-shape.ts";
export { type StoredFormat, type StoredFormats, textTensors } from "./text-tensors.ts";
export type { VisionDims, VisionRope } from "./vision-dims.ts";
export { visionTensors } from "./vision-tensors.ts";
export type {
  BiasedLinear,
  LayerNormWeights,
  VisionEnterWeights,
  VisionExitWeights,
  VisionLayerWeights,
} from "./vision-weights.ts";
