// What a model is: its numbers, and the letters of shapes.

export type { GraphDims, ModelShape, VisionDims, VisionShape } from "./model-shape.ts";

// Which tensors its checkpoint has: names, shapes and purposes.

export { linearShape } from "./linear-shape.ts";
export type { StoredFormat } from "./stored-format.ts";
export { tensorPurpose, WEIGHT_KINDS, type WeightKind } from "./tensor-purpose.ts";
export { elementCount, type TensorShape, weightCount } from "./tensor-shape.ts";
export { type StoredFormats, textTensors } from "./text-tensors.ts";
export { visionTensors } from "./vision-tensors.ts";

// Where a token stands: what turns queries and keys, and what scales queries.

export { queryTemperature, type TemperatureTuning } from "./query-temperature.ts";
export { type Rope, type RopeScaling, type RopeTables, ropeTables } from "./rope.ts";
export { visionRopeTables } from "./vision-rope.ts";

// Weights as they are in memory or in mapped files.

export type { FileRange, LinearWeight, MappedLinear } from "./linear-weight.ts";
export type { AttentionWeights, MlpWeights } from "./text-weights.ts";
export type {
  BiasedLinear,
  LayerNormWeights,
  VisionEnterWeights,
  VisionExitWeights,
  VisionLayerWeights,
} from "./vision-weights.ts";
