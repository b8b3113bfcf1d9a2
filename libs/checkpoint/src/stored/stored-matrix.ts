import type { ScaleGrid } from "./scale-grid.ts";

/** A tensor of scales or zero points, and which element of a matrix has which of them. */
export type StoredScales = Readonly<{
  tensor: string;
  grid: ScaleGrid;
  /** The first dimension is the expert's. */
  isPerExpert: boolean;
  /** Stored [columns, rows]. */
  isTransposed: boolean;
}>;

/** Zero points, which are subtracted before anything is scaled: one for each scale. */
export type StoredZeroPoints = Readonly<{
  tensor: string;
  /** Packed along the outputs, [ceil(rows * bits / 32), columns]. */
  isPacked: boolean;
}>;

/**
 * How the numbers of a matrix lie: `plain` ones are the weights; `scaled` ones, FP8 or int8, are times a scale; `packed` ones are integers of few bits in
 * 32-bit words; `nvfp4` ones are two floats of 4 bits (E2M1) a byte, in groups of 16 inputs with a scale in FP8, and one more scale.
 */
export type StoredNumbers = "plain" | "scaled" | "packed" | "nvfp4";

/** A Linear's weight [out, in] as tensors of a checkpoint: a plan of what is to be read, made from headers alone. */
export type StoredMatrix = Readonly<{
  numbers: StoredNumbers;
  tensor: string;
  outSize: number;
  inSize: number;
  /** Of `packed` numbers; 0 for others. */
  bits: number;
  scales: StoredScales | undefined;
  zeroPoints: StoredZeroPoints | undefined;
  /** NVFP4's second scale, by which compressed-tensors divides and ModelOpt multiplies. */
  second: (StoredScales & Readonly<{ isDivisor: boolean }>) | undefined;
  /** For each input its group, where inputs were reordered before they were grouped. */
  groupOfInput: string | undefined;
  /** One expert's matrix of a tensor of all: [E, out, in], or [E, in, out] where transposed. */
  expert: Readonly<{ index: number; isTransposed: boolean }> | undefined;
}>;

/** Inputs that share one of NVFP4's scales. */
export const NVFP4_GROUP = 16;
