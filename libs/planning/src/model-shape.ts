/** The numbers of a Llama 4 text model that decide what it weighs. */
export type ModelShape = Readonly<{
  vocabSize: number;
  hiddenSize: number;
  layerCount: number;
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  /** Width of routed experts and of the shared expert. */
  expertWidth: number;
  denseWidth: number;
  expertCount: number;
  moeLayers: readonly number[];
  isGlobalLayer: readonly boolean[];
  chunkSize: number;
  maxPositionEmbeddings: number;
  tieWordEmbeddings: boolean;
}>;

/** The numbers of Llama 4's vision encoder, with the adapter and the projector into the text model. */
export type VisionShape = Readonly<{
  hiddenSize: number;
  layerCount: number;
  /** Also what pixel shuffle makes of a row, which the adapter reads. */
  mlpWidth: number;
  patchSize: number;
  /** Patches along a tile's side. */
  gridSize: number;
  /** Width of the adapter's first Linear. */
  adapterWidth: number;
  /** Width of what the adapter gives to the projector. */
  outputWidth: number;
  hasProjectorBias: boolean;
  /** Width of the text model. */
  textHiddenSize: number;
}>;

/** A tensor as a checkpoint's header states it. */
export type TensorShape = Readonly<{ name: string; dtype: string; shape: readonly number[]; byteCount: number }>;

/** Elements of a tensor. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
