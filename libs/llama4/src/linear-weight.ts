/**
 * A Linear's weight, [out, in] row-major, as it is in memory. `quantized` is what MatMulNBits reads: each row is cut in blocks of `blockSize` inputs, the last one
 * filled up with zero points; w = (q - zero) * scale with a zero point of 8 (4 bits, the lower nibble first) or 128 (8 bits).
 */
export type LinearWeight =
  | Readonly<{ kind: "f32"; data: Float32Array }>
  | Readonly<{
      kind: "quantized";
      bits: 4 | 8;
      blockSize: 32 | 64 | 128;
      /** [out, ceil(in / blockSize), blockSize * bits / 8]. */
      packed: Uint8Array;
      /** [out, ceil(in / blockSize)]. */
      scales: Float32Array;
    }>
  | MappedLinear;

/** Bytes [offset, offset + length) of a file. */
export type FileRange = Readonly<{ offset: number; length: number }>;

/**
 * A quantized Linear that stays in files, which are mapped: processes share their pages. Its rows may be cut in parts, each a matrix of its own.
 * `prepared` is a part as the kernel packs it on one kind of CPU; where ONNX Runtime's own packing has another key, that one is used and held in memory.
 */
export type MappedLinear = Readonly<{
  kind: "mapped";
  bits: 4 | 8;
  blockSize: 32 | 64 | 128;
  parts: readonly Readonly<{
    /** An absolute path without links. */
    file: string;
    rowCount: number;
    packed: FileRange;
    scales: FileRange;
    prepared: Readonly<{ key: string; range: FileRange }> | null;
  }>[];
}>;
