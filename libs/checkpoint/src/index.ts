export { Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { Embedding } from "./embedding.ts";
export { type GenerationConfig, loadGenerationConfig } from "./generation-config.ts";
export { loadModelConfig, type ModelConfig, type TemperatureTuning } from "./model-config.ts";
export { queryTemperature, ropeFrequencies, ropeTables } from "./positions.ts";
export type { TensorInfo } from "./safetensors.ts";
export { type ExpertWeights, TextWeights } from "./text-weights.ts";
