import type { FileRange } from "@drover/llama4";
import type { BlockSize } from "../tensors/quantization.ts";

/** A quantized matrix [rows, in] in a file. */
export type QuantizedMatrix = Readonly<{
  /** An absolute path without links. */
  file: string;
  bits: 4 | 8;
  blockSize: BlockSize;
  rowCount: number;
  inSize: number;
  packed: FileRange;
  scales: FileRange;
}>;

/** A matrix as the kernels of one kind of CPU want it, in a file; the key is a hash of these bytes that the runtime checks. */
export type PackedMatrix = Readonly<{ key: string; file: string; range: FileRange }>;

/** What the conversion needs of the runtime. */
export interface Packer {
  /** The name of the form that `pack` makes: equal where matrices are interchangeable. */
  readonly kind: string;
  /** Null where the kernels take such a matrix as it is. What it returns is valid until the next call; `scratch` is a folder for its files. */
  pack(matrix: QuantizedMatrix, scratch: string): Promise<PackedMatrix | null>;
}
