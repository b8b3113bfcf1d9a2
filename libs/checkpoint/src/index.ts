export { Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { type GenerationConfig, loadGenerationConfig } from "./generation-config.ts";
export { loadModelConfig, type ModelConfig, type RopeScaling } from "./model-config.ts";
export { queryTemperature, ropeFrequencies, ropeTables } from "./positions.ts";
export type { TensorInfo } from "./safetensors.ts";
export { Embedding, type ExpertWeights, TextWeights } from "./text-weights.ts";
