import type { BiasedRows, LinearRows, VisionConfig } from "@drover/checkpoint";
import type { VisionSource } from "../../libs/cuda/src/vision/device-vision.ts";
import type { LayerNormWeights } from "../../libs/llama4/src/index.ts";

const [PATCH, SHUFFLE] = [14, 2];

/** Maverick's and Scout's encoder, and nano's. */
export const VISION_SHAPES = {
  llama4: shape({
    hiddenSize: 1408,
    headCount: 16,
    layerCount: 34,
    imageSize: 336,
    outputWidth: 4096,
    textHiddenSize: 5120,
  }),
  nano: shape({ hiddenSize: 96, headCount: 4, layerCount: 3, imageSize: 112, outputWidth: 256, textHiddenSize: 256 }),
} as const;

type Own = Pick<
  VisionConfig,
  "hiddenSize" | "headCount" | "layerCount" | "imageSize" | "outputWidth" | "textHiddenSize"
>;

function shape(own: Own): VisionConfig {
  const gridSize = own.imageSize / PATCH;
  return {
    ...own,
    headDim: own.hiddenSize / own.headCount,
    mlpWidth: own.hiddenSize * SHUFFLE ** 2,
    patchSize: PATCH,
    gridSize,
    shuffle: SHUFFLE,
    rowsPerTile: (gridSize / SHUFFLE) ** 2,
    adapterWidth: own.outputWidth,
    hasProjectorBias: false,
    ropeTheta: 10_000,
  };
}

/** Floating-point operations of a tile's products, attention's among them. */
export function tileOperations({
  hiddenSize: w,
  layerCount,
  gridSize,
  mlpWidth,
  outputWidth,
  textHiddenSize,
  rowsPerTile,
}: VisionConfig): number {
  const rows = gridSize ** 2 + 1;
  const layer = 2 * rows * (4 * w * w + 2 * w * mlpWidth) + 4 * rows * rows * w;
  return layerCount * layer + 2 * rowsPerTile * outputWidth * (mlpWidth + outputWidth + textHiddenSize);
}

/** Random bf16 that keep rows about as large as they are: each matrix is a piece of one random block. */
export function randomVision(config: VisionConfig): VisionSource {
  const block = new Uint16Array(2 ** 20 + 7);
  let state = 7;
  for (let i = 0; i < block.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // 2^-6 to 2^-5, either sign: about one over the root of a row's width.
    block[i] = 0x3c80 | (state >>> 25) | (((state >>> 24) & 1) << 15);
  }
  const bytes = new Uint8Array(block.buffer);
  const matrix = (outSize: number, inSize: number): LinearRows => ({
    outSize,
    inSize,
    read: async (first, count) => {
      const floats = new Float32Array(count * inSize);
      const bits = new Uint32Array(floats.buffer);
      for (let i = 0; i < bits.length; i++) bits[i] = (block[(first * inSize + i) % block.length] ?? 0) << 16;
      return floats;
    },
    stored: {
      form: "BF16",
      isTransposed: false,
      lineCount: outSize,
      lineBytes: 2 * inSize,
      groupSize: 0,
      scales: async () => new Float32Array(0),
      fill: async (_first, target) => {
        for (let at = 0; at < target.length; at += bytes.length) target.set(bytes.subarray(0, target.length - at), at);
      },
    },
  });
  const vector = (size: number, value: number) => new Float32Array(size).fill(value);
  const norm = (size: number): LayerNormWeights => ({ weight: vector(size, 1), bias: vector(size, 0) });
  const linear = (outSize: number, inSize: number, isBiased: boolean): BiasedRows => ({
    rows: matrix(outSize, inSize),
    bias: isBiased ? vector(outSize, 0.01) : null,
  });
  const { hiddenSize: w, mlpWidth, patchSize, gridSize, adapterWidth, outputWidth, textHiddenSize } = config;
  return {
    entryRows: async () => ({
      patches: matrix(w, 3 * patchSize ** 2),
      classEmbedding: vector(w, 0.1),
      positions: vector((gridSize ** 2 + 1) * w, 0.1),
      norm: norm(w),
    }),
    layerRows: async () => ({
      inputNorm: norm(w),
      qkv: linear(3 * w, w, true),
      output: linear(w, w, true),
      mlpNorm: norm(w),
      fc1: linear(mlpWidth, w, true),
      fc2: linear(w, mlpWidth, true),
    }),
    exitRows: async () => ({
      norm: norm(w),
      fc1: linear(adapterWidth, mlpWidth, false),
      fc2: linear(outputWidth, adapterWidth, false),
      projector: linear(textHiddenSize, outputWidth, false),
    }),
  };
}
