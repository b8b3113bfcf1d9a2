// What a checkpoint's folder says of its model.

export { type GenerationConfig, loadGenerationConfig } from "./config/generation-config.ts";
export { loadModelConfig, type ModelConfig } from "./config/model-config.ts";
export { loadStoredFormat } from "./config/stored-format.ts";
export { hasVisionTensors, loadVisionConfig, type VisionConfig } from "./config/vision-config.ts";

// Its tensors, and whether they are the model's.

export { checkModel } from "./check/check-model.ts";
export { checkVocabulary } from "./check/check-vocabulary.ts";
export { surveyTensors, type TensorSurvey } from "./check/tensor-survey.ts";
export { visionWeights } from "./check/vision-presence.ts";
export { Checkpoint, openCheckpoint } from "./files/checkpoint.ts";
export { isDtype } from "./files/dtype.ts";
export { recognizeFolder } from "./files/foreign-folder.ts";

// Weights as a worker computes with them.

export { LayerWeights } from "./tensors/layer-weights.ts";
export { type LinearRows, stackRows } from "./tensors/linear-rows.ts";
export {
  BLOCK_SIZE_NAMES,
  headFormat,
  linearBytes,
  QUANTIZATIONS,
  type Quantization,
  quantizationName,
  quantizationOf,
} from "./tensors/quantization.ts";
export { dequantizeLinear, quantizeLinear } from "./tensors/quantize.ts";
export type { NumberForm, StoredLines } from "./tensors/stored-lines.ts";
export { type MlpRows, StoredTextRows, type TextRows } from "./tensors/text-rows.ts";
export { TextWeights } from "./tensors/text-weights.ts";
export { type BiasedRows, VisionWeights } from "./tensors/vision-weights.ts";

// A checkpoint that is quantized and packed once, so that workers map it.

export { type ConversionProgress, convertCheckpoint } from "./converted/convert.ts";
export { convertedFiles } from "./converted/converted-sizes.ts";
export { ConvertedTextRows } from "./converted/converted-text-rows.ts";
export { ConvertedWeights } from "./converted/converted-weights.ts";
export { HashThreads } from "./converted/hash-threads.ts";
export { type Manifest, manifestFingerprint, readManifest } from "./converted/manifest.ts";
export type { PackedMatrix, Packer, QuantizedMatrix } from "./converted/packing.ts";
export { describeSetting } from "./converted/setting.ts";
export { verifyConverted } from "./converted/verify-converted.ts";
