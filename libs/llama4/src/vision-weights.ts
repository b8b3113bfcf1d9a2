/** A Linear with a bias in f32: weight [out, in] row-major, dequantized; bias [out] where it has one. */
export type BiasedLinear = Readonly<{ weight: Float32Array; bias: Float32Array | null }>;

/** A LayerNorm's gain and bias, [W]. */
export type LayerNormWeights = Readonly<{ weight: Float32Array; bias: Float32Array }>;

/** What makes rows of pixels. S, the rows of a tile, are its patches' and the class's. */
export type VisionEnterWeights = Readonly<{
  /** [W, 3 * patchSize^2], a column's place being (channel, row, column). */
  patches: Float32Array;
  /** [W]. */
  classEmbedding: Float32Array;
  /** [S, W], the class's last. */
  positions: Float32Array;
  norm: LayerNormWeights;
}>;

/** One encoder layer; the rows of q, k and v are one Linear [3W, W]. */
export type VisionLayerWeights = Readonly<{
  inputNorm: LayerNormWeights;
  qkv: BiasedLinear;
  output: BiasedLinear;
  mlpNorm: LayerNormWeights;
  fc1: BiasedLinear;
  fc2: BiasedLinear;
}>;

/** What makes features of rows: the last norm, the adapter's two layers and the projector. */
export type VisionExitWeights = Readonly<{
  norm: LayerNormWeights;
  fc1: BiasedLinear;
  fc2: BiasedLinear;
  projector: BiasedLinear;
}>;
