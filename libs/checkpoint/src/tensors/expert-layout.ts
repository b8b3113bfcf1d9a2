import { bytesOf, toF32, type WeightDtype } from "../files/dtype.ts";
import { TRANSPOSE_SCRATCH_BYTES } from "../limits.ts";

/**
 * Turns outputs [firstOut, firstOut + outCount) of one expert's matrix from the fused layout [in, out] to a Linear's [out, in] as f32.
 * Works through a few input rows at a time, so that reads and writes both stay within cache lines.
 */
export function toLinearLayout(
  bytes: Uint8Array,
  dtype: WeightDtype,
  inSize: number,
  outSize: number,
  firstOut = 0,
  outCount = outSize,
): Float32Array {
  const linear = new Float32Array(outCount * inSize);
  const stride = bytesOf(dtype, outSize);
  const skipped = bytesOf(dtype, firstOut);
  const wanted = bytesOf(dtype, outCount);
  const rowsMax = Math.max(1, Math.floor(TRANSPOSE_SCRATCH_BYTES / (4 * outCount)));
  const rows = new Float32Array(Math.min(rowsMax, inSize) * outCount);
  for (let first = 0; first < inSize; first += rowsMax) {
    const rowCount = Math.min(rowsMax, inSize - first);
    for (let row = 0; row < rowCount; row++) {
      const at = (first + row) * stride + skipped;
      rows.set(toF32(bytes.subarray(at, at + wanted), dtype), row * outCount);
    }
    for (let out = 0; out < outCount; out++) {
      const target = out * inSize + first;
      for (let row = 0; row < rowCount; row++) linear[target + row] = rows[row * outCount + out] ?? 0;
    }
  }
  return linear;
}

/** The same turn without a conversion, of elements of one, two or four bytes. */
export function toLinearBytes(
  bytes: Uint8Array,
  elementBytes: number,
  inSize: number,
  outSize: number,
  firstOut = 0,
  outCount = outSize,
): Uint8Array {
  const linear = new Uint8Array(outCount * inSize * elementBytes);
  const tile = Math.max(1, Math.floor(TRANSPOSE_SCRATCH_BYTES / (4 * outCount)));
  for (let first = 0; first < inSize; first += tile) {
    const end = Math.min(first + tile, inSize);
    for (let out = 0; out < outCount; out++) {
      for (let row = first; row < end; row++) {
        const from = (row * outSize + firstOut + out) * elementBytes;
        const to = (out * inSize + row) * elementBytes;
        for (let byte = 0; byte < elementBytes; byte++) linear[to + byte] = bytes[from + byte] as number;
      }
    }
  }
  return linear;
}
