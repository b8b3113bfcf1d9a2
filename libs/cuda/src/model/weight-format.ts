import { assert } from "@drover/core";

/**
 * How a matrix lies on the card: in a float's type, in FP8 with a scale for each output, or in integers with a scale for each block of inputs, row by row or
 * (4 bits) in the tiles of tensor_linear.cu, which multiply f16 rows.
 */
export type WeightFormat =
  | Readonly<{ kind: "f32" }>
  | Readonly<{ kind: "bf16" }>
  | Readonly<{ kind: "e4m3" }>
  | Readonly<{ kind: "blocks"; bits: 4 | 8; blockSize: number }>
  | Readonly<{ kind: "tiles"; blockSize: 64 | 128 }>;

/** Inputs that a thread reads at once. */
const INPUTS = 8;

/** Macros of `linear.cu` for a format. */
export function formatMacros(
  format: Exclude<WeightFormat, { kind: "tiles" }>,
): Readonly<{ WEIGHT: number; BLOCK: number }> {
  switch (format.kind) {
    case "f32":
      return { WEIGHT: 0, BLOCK: 1 };
    case "bf16":
      return { WEIGHT: 1, BLOCK: 1 };
    case "e4m3":
      return { WEIGHT: 2, BLOCK: 1 };
    case "blocks":
      return { WEIGHT: format.bits, BLOCK: format.blockSize };
  }
}

/** Bytes of a matrix [out, in], and how many scales it has. Bug for a number of inputs that no Llama 4 has: one that is no multiple of 8. */
export function matrixBytes(
  format: WeightFormat,
  outSize: number,
  inSize: number,
): Readonly<{ weightBytes: number; scaleCount: number }> {
  assert(inSize % INPUTS === 0, "a matrix has a multiple of eight inputs");
  switch (format.kind) {
    case "f32":
      return { weightBytes: 4 * outSize * inSize, scaleCount: 0 };
    case "bf16":
      return { weightBytes: 2 * outSize * inSize, scaleCount: 0 };
    case "e4m3":
      return { weightBytes: outSize * inSize, scaleCount: outSize };
    case "blocks": {
      const blockCount = outSize * Math.ceil(inSize / format.blockSize);
      return { weightBytes: (blockCount * format.blockSize * format.bits) / 8, scaleCount: blockCount };
    }
    case "tiles": {
      assert(fitsTiles(outSize, inSize, format.blockSize), "tiles have whole blocks, and outputs by the 64");
      return { weightBytes: (outSize * inSize) / 2, scaleCount: (outSize * inSize) / format.blockSize };
    }
  }
}

/** Outputs of the largest block of threads that multiplies tiles. */
const TILE_OUTPUTS = 64;

/** Whether a matrix can lie in tiles. */
function fitsTiles(outSize: number, inSize: number, blockSize: number): boolean {
  return outSize % TILE_OUTPUTS === 0 && inSize % blockSize === 0;
}
