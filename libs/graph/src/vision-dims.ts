/** The sizes that the vision encoder's graphs are authored from; all read from config.json. */
export type VisionDims = Readonly<{
  /** H: width of a patch's row in the encoder. */
  hiddenSize: number;
  headCount: number;
  mlpWidth: number;
  /** Side of a tile, and of a patch, in pixels. */
  imageSize: number;
  patchSize: number;
  /** Patches along a tile's side. S, the rows of a tile, is its square and one more for the class. */
  gridSize: number;
  /** Patches along the side of a square that becomes one row of features. */
  shuffle: number;
  /** Width of the adapter's inner rows, and of what it hands to the projector. */
  adapterWidth: number;
  outputWidth: number;
  /** D: width of the features. */
  textHiddenSize: number;
}>;

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
