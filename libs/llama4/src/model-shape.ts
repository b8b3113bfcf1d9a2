/**
 * The numbers of a Llama 4 text model that decide what it weighs and how it is computed; all from config.json.
 *
 * Shapes are written in the letters of Meta's `moe.py`, and where it has none in these. `[a, D]` is a rows of D numbers each, row-major, and `x_aD` a
 * buffer of that shape.
 *
 * | letter | number of | field of config.json |
 * |---|---|---|
 * | a | rows of a step: the tokens that it computes | |
 * | D | numbers of a token's row | `hidden_size` |
 * | V | tokens of the vocabulary | `vocab_size` |
 * | H | query heads | `num_attention_heads` |
 * | K | KV heads | `num_key_value_heads` |
 * | d | numbers of a head | `head_dim` |
 * | Q | numbers of all query heads: H * d | |
 * | E | experts of a layer | `num_local_experts` |
 * | e | experts of a layer that one worker holds | |
 * | F | inner numbers of an expert, and of the shared expert | `intermediate_size` |
 * | G | rows that one expert gets | |
 * | t | tiles of an image | |
 * | S | rows of a tile: its patches, and the class | |
 * | W | numbers of a patch's row in the vision encoder | `vision_config.hidden_size` |
 */
export type ModelShape = Readonly<{
  /** V. */
  vocabSize: number;
  /** D. */
  hiddenSize: number;
  layerCount: number;
  /** H. */
  headCount: number;
  /** K. */
  kvHeadCount: number;
  /** d. */
  headDim: number;
  /** F. */
  expertWidth: number;
  /** Inner numbers of a dense layer's MLP: `intermediate_size_mlp`. */
  denseWidth: number;
  /** E. */
  expertCount: number;
  /** Layers with experts, ascending. */
  moeLayers: readonly number[];
  /** NoPE layers, which attend to everything. */
  isGlobalLayer: readonly boolean[];
  chunkSize: number;
  maxPositionEmbeddings: number;
  tieWordEmbeddings: boolean;
}>;

/** The numbers of Llama 4's vision encoder, with the adapter and the projector into the text model. */
export type VisionShape = Readonly<{
  /** W. */
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
  /** D: what the features are as wide as. */
  textHiddenSize: number;
}>;

/** The sizes that the text model's graphs are authored from. */
export type GraphDims = Pick<
  ModelShape,
  "hiddenSize" | "headCount" | "kvHeadCount" | "headDim" | "expertWidth" | "denseWidth" | "expertCount" | "vocabSize"
> &
  Readonly<{ rmsNormEps: number; useQkNorm: boolean }>;

/** The sizes that the vision encoder's graphs are authored from. */
export type VisionDims = Omit<VisionShape, "layerCount" | "hasProjectorBias">;
