import { assertNever } from "@drover/core";
import { type Dtype, isWeightDtype, toF32 } from "../files/dtype.ts";
import { TRANSPOSE_SCRATCH_BYTES } from "../limits.ts";
import type { StoredNumbers } from "./stored-matrix.ts";

/** E2M1's sixteen numbers by their code: a sign, two bits of exponent with bias 1, one of fraction. Source: OCP Microscaling Formats (MX) 1.0. */
const E2M1 = Float32Array.of(0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6);

/** How numbers lie in a tensor's bytes. */
export type NumberCode = Readonly<{ numbers: StoredNumbers; dtype: Dtype; bits: number }>;

/**
 * Decodes rows of a matrix [out, in] without its scales: `bytes` are whole rows, each of which is filled up to a whole number of stored elements.
 * Packed integers are signed, around the middle of their range.
 */
export function decodeRows(bytes: Uint8Array, code: NumberCode, rowCount: number, inSize: number): Float32Array {
  const { numbers, dtype, bits } = code;
  switch (numbers) {
    case "plain":
    case "scaled":
      return wholeNumbers(bytes, dtype);
    case "packed":
      return packedIntegers(bytes, bits, rowCount, inSize);
    case "nvfp4":
      return floatPairs(bytes);
    default:
      return assertNever(numbers);
  }
}

/** Numbers of a byte or more, in their own type; int8 is signed. */
export function wholeNumbers(bytes: Uint8Array, dtype: Dtype): Float32Array {
  if (isWeightDtype(dtype)) return toF32(bytes, dtype);
  return Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** Integers of bits that divide a byte, in 32-bit little-endian words, the first in the lowest bits. Source: compressed-tensors, pack_quantized/helpers.py. */
function packedIntegers(bytes: Uint8Array, bits: number, rowCount: number, inSize: number): Float32Array {
  const rowBytes = bytes.byteLength / rowCount;
  const mask = 2 ** bits - 1;
  const middle = 2 ** (bits - 1);
  const perByte = 8 / bits;
  const out = new Float32Array(rowCount * inSize);
  for (let row = 0; row < rowCount; row++) {
    const target = row * inSize;
    for (let i = 0, byte = row * rowBytes; i < inSize; byte++) {
      const eight = bytes[byte] ?? 0;
      for (let k = 0; k < perByte && i < inSize; k++, i++) out[target + i] = ((eight >> (k * bits)) & mask) - middle;
    }
  }
  return out;
}

/** Two E2M1 numbers a byte, the first in the lower half. */
function floatPairs(bytes: Uint8Array): Float32Array {
  const out = new Float32Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const pair = bytes[i] ?? 0;
    out[2 * i] = E2M1[pair & 15] ?? 0;
    out[2 * i + 1] = E2M1[pair >> 4] ?? 0;
  }
  return out;
}

/**
 * Decodes outputs [firstOut, firstOut + outCount) of two E2M1 inputs a byte that lie [in / 2, out], to [out, in]. Works through a few rows of bytes at a
 * time, so that reads and writes both stay within cache lines.
 */
export function transposedPairs(
  bytes: Uint8Array,
  inSize: number,
  outSize: number,
  firstOut: number,
  outCount: number,
): Float32Array {
  const linear = new Float32Array(outCount * inSize);
  const byteRows = inSize / 2;
  const rowsMax = Math.max(1, Math.floor(TRANSPOSE_SCRATCH_BYTES / (8 * outCount)));
  for (let first = 0; first < byteRows; first += rowsMax) {
    const end = Math.min(byteRows, first + rowsMax);
    for (let out = 0; out < outCount; out++) {
      for (let row = first; row < end; row++) {
        const pair = bytes[row * outSize + firstOut + out] ?? 0;
        linear[out * inSize + 2 * row] = E2M1[pair & 15] ?? 0;
        linear[out * inSize + 2 * row + 1] = E2M1[pair >> 4] ?? 0;
      }
    }
  }
  return linear;
}
