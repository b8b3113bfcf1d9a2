/** A Linear with a bias in f32: weight [out, in] row-major, dequantized; bias [out] where it has one. */
export type BiasedLinear = Readonly<{ weight: Float32Array; bias: Float32Array | null }>;

/** A LayerNorm's gain and bias, [W]. */
export type LayerNormWeights = Readonly<{ weight: Float32Array; bias: Float32Array }>;

/** What makes rows of pixels, its matrix held as `M`. S, the rows of a tile, are its patches' and the class's. */
export type VisionEnterWeights<M = Float32Array> = Readonly<{
  /** [W, 3 * patchSize^2], a column's place being (channel, row, column). */
  patches: M;
  /** [W]. */
  classEmbedding: Float32Array;
  /** [S, W], the class's last. */
  positions: Float32Array;
  norm: LayerNormWeights;
}>;

/** One encoder layer, its Linears held as `L`; the rows of q, k and v are one Linear [3W, W]. */
export type VisionLayerWeights<L = BiasedLinear> = Readonly<{
  inputNorm: LayerNormWeights;
  qkv: L;
  output: L;
  mlpNorm: LayerNormWeights;
  fc1: L;
  fc2: L;
}>;

/** What makes features of rows, its Linears held as `L`: the last norm, the adapter's two layers and the projector. */
export type VisionExitWeights<L = BiasedLinear> = Readonly<{
  norm: LayerNormWeights;
  fc1: L;
  fc2: L;
  projector: L;
}>;
