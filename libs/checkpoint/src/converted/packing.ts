import type { BlockSize } from "../tensors/quantization.ts";

/** Bytes [offset, offset + length) of a file. */
export type Extent = Readonly<{ offset: number; length: number }>;

/** A quantized matrix [rows, in] in a file. */
export type QuantizedMatrix = Readonly<{
  /** An absolute path without links. */
  file: string;
  bits: 4 | 8;
  blockSize: BlockSize;
  rowCount: number;
  inSize: number;
  packed: Extent;
  scales: Extent;
}>;

/** A matrix as the kernels of one kind of CPU want it, in a file; the key is a hash of these bytes that the runtime checks. */
export type PackedMatrix = Readonly<{ key: string; file: string; extent: Extent }>;

/** What the conversion needs of the runtime. */
export interface Packer {
  /** Of the matrices that `pack` makes: equal where they are interchangeable. */
  readonly kind: string;
  /** Null where the kernels take such a matrix as it is. What it returns is valid until the next call; `scratch` is a folder for its files. */
  pack(matrix: QuantizedMatrix, scratch: string): Promise<PackedMatrix | null>;
}
