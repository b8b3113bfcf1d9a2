import type { ModelShape, TensorShape, VisionShape } from "@drover/llama4";
import { type StoredFormats, textTensors, visionTensors } from "@drover/llama4";

const layerCount = 48;
const common = {
  vocabSize: 202_048,
  hiddenSize: 5120,
  layerCount,
  headCount: 40,
  kvHeadCount: 8,
  headDim: 128,
  expertWidth: 8192,
  denseWidth: 16_384,
  isGlobalLayer: Array.from({ length: layerCount }, (_, layer) => (layer + 1) % 4 === 0),
  chunkSize: 8192,
  tieWordEmbeddings: false,
};
const layers = Array.from({ length: layerCount }, (_, layer) => layer);

/** Llama 4 Maverick's numbers. */
export const maverick: ModelShape = {
  ...common,
  expertCount: 128,
  moeLayers: layers.filter((layer) => layer % 2 === 1),
  maxPositionEmbeddings: 1_048_576,
};

/** Llama 4 Scout's numbers. */
export const scout: ModelShape = {
  ...common,
  expertCount: 16,
  moeLayers: layers,
  maxPositionEmbeddings: 10_485_760,
};

/** Both models' vision encoder. */
const vision: VisionShape = {
  hiddenSize: 1408,
  layerCount: 34,
  headCount: 16,
  mlpWidth: 5632,
  imageSize: 336,
  patchSize: 14,
  gridSize: 24,
  shuffle: 2,
  adapterWidth: 4096,
  outputWidth: 4096,
  hasProjectorBias: false,
  textHiddenSize: 5120,
};

const bf16 = { kind: "plain", dtype: "BF16", elementBytes: 2 } as const;

/** As released: all in bf16, experts fused. */
export const bf16Formats: StoredFormats = { plain: bf16, linear: () => bf16, fusedExperts: true };

/** fbgemm's FP8: routed experts alone, fused, f32 scales. */
export const fusedFp8Formats: StoredFormats = {
  plain: bf16,
  linear: (path) => (path.endsWith(".experts") ? { kind: "fp8", scaleDtype: "F32", scaleBytes: 4 } : bf16),
  fusedExperts: true,
};

/** compressed-tensors' FP8: every MLP, one Linear an expert, bf16 scales. */
export const unfusedFp8Formats: StoredFormats = {
  plain: bf16,
  linear: (path) =>
    /\.feed_forward\.(?!router)/.test(path) ? { kind: "fp8", scaleDtype: "BF16", scaleBytes: 2 } : bf16,
  fusedExperts: false,
};

/** A whole checkpoint's tensors, vision included. */
export function checkpointTensors(model: ModelShape, formats: StoredFormats): TensorShape[] {
  return [...textTensors(model, formats), ...visionTensors(vision, bf16)];
}
