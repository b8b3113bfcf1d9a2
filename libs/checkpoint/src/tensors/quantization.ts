import { assert } from "@drover/core";

/** Inputs of a row that share one scale. */
export const BLOCK_SIZES = [32, 64, 128] as const;
export type BlockSize = (typeof BLOCK_SIZES)[number];

/** What `--quantize` may say. */
export const QUANTIZATIONS = ["int4", "int8"] as const;

/** How weights are quantized while they are loaded; null leaves them in f32. */
export type Quantization = Readonly<{ bits: 4 | 8; blockSize: BlockSize }>;

/** A Linear in memory: f32, or quantized by rows and blocks. Null is f32. */
export type LinearFormat = Quantization | null;

/** Block sizes as flags name them. */
export const BLOCK_SIZE_NAMES = ["32", "64", "128"] as const satisfies readonly `${BlockSize}`[];

/** The setting that flags name; null when nothing is to be quantized. Bug for a name that is not one of the lists. */
export function quantizationOf(name: string | undefined, blockSizeName: string): Quantization | null {
  if (name === undefined) return null;
  const blockSize = BLOCK_SIZES.find((size) => String(size) === blockSizeName);
  assert((name === "int4" || name === "int8") && blockSize !== undefined, "a quantization is one that flags offer");
  return { bits: name === "int4" ? 4 : 8, blockSize };
}

/** `int4-128`, or null for f32: tells processes of one fleet apart that compute differently. */
export function quantizationName(quantization: Quantization | null): string | null {
  return quantization === null ? null : `int${quantization.bits}-${quantization.blockSize}`;
}

/**
 * How the head is held when the rest is quantized so: in 8 bits. 4 bits move nano's log-probabilities by 0.38 in the mean, 8 bits by 0.025; in exchange
 * a head of 4 bits would take 64 us a row in place of 72, and of 8 rows and more nearly the same.
 */
export function headFormat(quantization: Quantization | null): LinearFormat {
  return quantization === null ? null : { bits: 8, blockSize: 128 };
}

/** Bytes of a Linear [out, in] in memory: its numbers and its scales. */
export function linearBytes(outSize: number, inSize: number, format: LinearFormat): number {
  if (format === null) return outSize * inSize * Float32Array.BYTES_PER_ELEMENT;
  const blockCount = Math.ceil(inSize / format.blockSize);
  return outSize * blockCount * ((format.blockSize * format.bits) / 8 + Float32Array.BYTES_PER_ELEMENT);
}
