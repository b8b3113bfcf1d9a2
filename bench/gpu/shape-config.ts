import type { ModelConfig } from "@drover/checkpoint";

const WIDE = {
  vocabSize: 202_048,
  hiddenSize: 5120,
  headCount: 40,
  kvHeadCount: 8,
  headDim: 128,
  expertWidth: 8192,
  denseWidth: 16_384,
};
/** Shapes that are computed in no time. */
const TINY = {
  vocabSize: 5120,
  hiddenSize: 256,
  headCount: 4,
  kvHeadCount: 2,
  headDim: 64,
  expertWidth: 128,
  denseWidth: 256,
};

/** The text model of Scout or Maverick in its true shapes but for the number of layers; `isTiny`: all else is small too. */
export function shapeConfig(model: "scout" | "maverick", layerCount: number, isTiny: boolean): ModelConfig {
  const isScout = model === "scout";
  return {
    modelType: "llama4_text",
    ...(isTiny ? TINY : WIDE),
    layerCount,
    expertCount: isScout ? 16 : 128,
    expertsPerToken: 1,
    moeLayers: Array.from({ length: layerCount }, (_, i) => i).filter((i) => isScout || i % 2 === 1),
    isGlobalLayer: Array.from({ length: layerCount }, (_, i) => i % 4 === 3),
    chunkSize: 8192,
    maxPositionEmbeddings: 2 ** 20,
    tieWordEmbeddings: false,
    rmsNormEps: 1e-5,
    useQkNorm: isScout,
    ropeTheta: 500_000,
    ropeScaling: null,
    temperatureTuning: null,
    imageTokenId: undefined,
  };
}

/** Bytes of a step's weights at so many bits a number and a scale (f32) for each so many: all dense ones, and of each layer so many experts. */
export function touchedBytes(config: ModelConfig, bits: number, blockSize: number, expertsALayer: number): number {
  const { hiddenSize: d, headCount, kvHeadCount, headDim, expertWidth, denseWidth, vocabSize, moeLayers } = config;
  const attention = d * headDim * (2 * headCount + 2 * kvHeadCount);
  const moe = moeLayers.length * (expertsALayer + 1) * 3 * d * expertWidth;
  const dense = (config.layerCount - moeLayers.length) * 3 * d * denseWidth;
  return (
    (config.layerCount * attention + moe + dense + d * vocabSize) * (bits / 8 + (blockSize > 0 ? 4 / blockSize : 0))
  );
}

/** Floating-point operations of one row's products, the head's not among them. */
export function rowOperations(config: ModelConfig): number {
  return 2 * touchedBytes({ ...config, vocabSize: 0 }, 8, 0, 1);
}
