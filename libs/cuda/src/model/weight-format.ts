import { assert } from "@drover/core";

/** Bits of integers and inputs that share a scale. */
type Blocks = Readonly<{ bits: 4 | 8; blockSize: 32 | 64 | 128 }>;

/**
 * How a matrix lies on the card: row by row, in a float's type, in FP8 with a scale for each output, or in integers with a scale for each block of inputs, for rows of
 * f32; or in the tiles of tensor.cuh, for rows of f16: integers in blocks, or FP8 or f16 with a scale for each output.
 */
export type WeightFormat =
  | Readonly<{ kind: "f32" }>
  | Readonly<{ kind: "bf16" }>
  | Readonly<{ kind: "e4m3" }>
  | Readonly<{ kind: "blocks" } & Blocks>
  | Readonly<{ kind: "tiles"; numbers: Blocks | "e4m3" | "f16" }>;

/** A format that linear.cu reads. */
export type RowFormat = Exclude<WeightFormat, { kind: "tiles" }>;
/** A format of tensor.cuh. */
export type TileFormat = Extract<WeightFormat, { kind: "tiles" }>;

/** Inputs that a thread of linear.cu reads at once. */
const INPUTS = 8;
/** Outputs and inputs that matrices of tiles are filled up to. */
const [TILE_OUTPUTS, TILE_INPUTS] = [16, 128];

/** Macros of `linear.cu` for a format. */
export function formatMacros(format: RowFormat): Readonly<{ WEIGHT: number; BLOCK: number }> {
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

/** Macros of `tensor.cuh` for a format. */
export function tileMacros({ numbers }: TileFormat): Readonly<{ WEIGHT: number; BLOCK: number }> {
  if (numbers === "e4m3") return { WEIGHT: 2, BLOCK: 0 };
  if (numbers === "f16") return { WEIGHT: 16, BLOCK: 0 };
  return { WEIGHT: numbers.bits, BLOCK: numbers.blockSize };
}

/** Bits of a number. */
export function bitsOf({ numbers }: TileFormat): number {
  if (numbers === "e4m3") return 8;
  return numbers === "f16" ? 16 : numbers.bits;
}

/** What tiles are counted in: 16 outputs, and 128 inputs. */
export function tileExtent(outSize: number, inSize: number): Readonly<{ tileCount: number; spanCount: number }> {
  return { tileCount: Math.ceil(outSize / TILE_OUTPUTS), spanCount: Math.ceil(inSize / TILE_INPUTS) };
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
      const { tileCount, spanCount } = tileExtent(outSize, inSize);
      const outputs = tileCount * TILE_OUTPUTS;
      const inputs = spanCount * TILE_INPUTS;
      const { numbers } = format;
      if (numbers === "e4m3") return { weightBytes: outputs * inputs, scaleCount: outputs };
      if (numbers === "f16") return { weightBytes: 2 * outputs * inputs, scaleCount: outputs };
      return {
        weightBytes: (outputs * inputs * numbers.bits) / 8,
        scaleCount: (outputs * inputs) / numbers.blockSize,
      };
    }
  }
}
