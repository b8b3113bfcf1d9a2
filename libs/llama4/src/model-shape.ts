/** The numbers of a Llama 4 text model that decide what it weighs and how it is computed; all from config.json. */
export type ModelShape = Readonly<{
  vocabSize: number;
  /** D: width of a token's row. */
  hiddenSize: number;
  layerCount: number;
  /** Query heads, KV heads, and the size of each. */
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  /** F: width of routed experts and of the shared expert (`intermediate_size`). */
  expertWidth: number;
  /** Width of dense layers (`intermediate_size_mlp`). */
  denseWidth: number;
  expertCount: number;
  /** Layers with experts, ascending. */
  moeLayers: readonly number[];
  /** NoPE layers, which attend to everything. */
  isGlobalLayer: readonly boolean[];
  chunkSize: number;
  maxPositionEmbeddings: number;
  tieWordEmbeddings: boolean;
}>;

/** The same of Llama 4's vision encoder, with the adapter and the projector into the text model. */
export type VisionShape = Readonly<{
  /** H: width of a patch's row in the encoder. */
  hiddenSize: number;
  layerCount: number;
  headCount: number;
  /** Also what pixel shuffle makes of a row, which the adapter reads. */
  mlpWidth: number;
  /** Side of a tile, and of a patch, in pixels. */
  imageSize: number;
  patchSize: number;
  /** Patches along a tile's side. S, the rows of a tile, is its square and one more for the class. */
  gridSize: number;
  /** Patches along the side of the square that pixel shuffle makes one row of; `1 / pixel_shuffle_ratio`. */
  shuffle: number;
  /** Width between the adapter's two layers, and of what it hands to the projector. */
  adapterWidth: number;
  outputWidth: number;
  hasProjectorBias: boolean;
  /** D, the text model's width: that of the features. */
  textHiddenSize: number;
}>;
