import type { VisionShape } from "@drover/core";

/** The sizes that the vision encoder's graphs are authored from. */
export type VisionDims = Omit<VisionShape, "layerCount" | "hasProjectorBias">;

/** A Linear in f32: weight [out, in] row-major; bias [out]. */
export type BiasedLinear = Readonly<{ weight: Float32Array; bias: Float32Array | null }>;

/** A LayerNorm's gain and bias, [H]. */
export type LayerNormWeights = Readonly<{ weight: Float32Array; bias: Float32Array }>;

/** `patches` [H, 3 * patchSize^2] for columns (channel, row, column); `positions` [S, H], the class's last. */
export type VisionEnterWeights = Readonly<{
  patches: Float32Array;
  classEmbedding: Float32Array;
  positions: Float32Array;
  norm: LayerNormWeights;
}>;

/** One encoder layer; `qkv` [3H, H]. */
export type VisionLayerWeights = Readonly<{
  inputNorm: LayerNormWeights;
  qkv: BiasedLinear;
  output: BiasedLinear;
  mlpNorm: LayerNormWeights;
  fc1: BiasedLinear;
  fc2: BiasedLinear;
}>;

/** The last norm, the adapter's two layers and the projector. */
export type VisionExitWeights = Readonly<{
  norm: LayerNormWeights;
  fc1: BiasedLinear;
  fc2: BiasedLinear;
  projector: BiasedLinear;
}>;

/** Rotary tables, [S, headDim / 2]. */
export type VisionRope = Readonly<{ cos: Float32Array; sin: Float32Array }>;
