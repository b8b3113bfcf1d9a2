export { checkModel } from "./check-model.ts";
export { Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { type ConversionOptions, type ConversionProgress, convertCheckpoint } from "./converted/convert.ts";
export { type ConvertedFile, convertedFiles } from "./converted/converted-sizes.ts";
export { ConvertedWeights } from "./converted/converted-weights.ts";
export { type Manifest, manifestFingerprint, readManifest } from "./converted/manifest.ts";
export type { PackedMatrix, Packer, QuantizedMatrix } from "./converted/packing.ts";
export { describeSetting } from "./converted/setting.ts";
export { verifyConverted } from "./converted/verify-converted.ts";
export { verifyVision } from "./converted/verify-vision.ts";
export { isDtype } from "./dtype.ts";
export { Embedding } from "./embedding.ts";
export { type GenerationConfig, loadGenerationConfig } from "./generation-config.ts";
export { LayerWeights, type ServedLinear, type ServedMlp } from "./layer-weights.ts";
export { loadModelConfig, type ModelConfig, type TemperatureTuning } from "./model-config.ts";
export { queryTemperature, ropeFrequencies, ropeTables } from "./positions.ts";
export {
  BLOCK_SIZE_NAMES,
  type BlockSize,
  headFormat,
  type LinearFormat,
  linearBytes,
  QUANTIZATIONS,
  type Quantization,
  quantizationName,
  quantizationOf,
} from "./quantization.ts";
export { dequantizeLinear, type QuantizedLinear, quantizeLinear } from "./quantize.ts";
export type { TensorInfo } from "./safetensors.ts";
export { loadStoredFormat, type StoredFormatConfig } from "./stored-format.ts";
export { surveyTensors, type TensorSurvey } from "./tensor-survey.ts";
export { type ExpertWeights, TextWeights } from "./text-weights.ts";
export { hasVisionTensors, loadVisionConfig, type VisionConfig } from "./vision-config.ts";
export { visionRopeTables } from "./vision-positions.ts";
export { VisionWeights } from "./vision-weights.ts";
