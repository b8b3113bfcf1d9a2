import { assert } from "@drover/core";
import type { Checkpoint } from "../files/checkpoint.ts";
import { bytesOf, isWeightDtype } from "../files/dtype.ts";
import { toLinearBytes, toLinearLayout } from "../tensors/expert-layout.ts";
import type { LinearRows } from "../tensors/linear-rows.ts";
import { applyScales } from "./apply-scales.ts";
import { storedLines } from "./matrix-lines.ts";
import { decodeRows, transposedPairs, wholeNumbers } from "./matrix-numbers.ts";
import { ScaleReader } from "./scale-reader.ts";
import type { StoredMatrix } from "./stored-matrix.ts";

/**
 * A stored matrix as rows of f32, dequantized while they are read. Of an expert among all of them its own bytes are read, once, and kept until the
 * last of its rows were read. Errors, also of `read`: `invalid_argument` naming file and tensor; `unavailable` where the file cannot be read.
 */
export async function matrixRows(checkpoint: Checkpoint, matrix: StoredMatrix): Promise<LinearRows> {
  const { outSize, inSize, numbers } = matrix;
  const scales = new ScaleReader(checkpoint, matrix);
  const numbersOf = rowReader(checkpoint, matrix);
  const read = async (first: number, count: number): Promise<Float32Array> => {
    const rows = await numbersOf(first, count);
    if (numbers !== "plain") applyScales(rows, first, inSize, await scales.read(first, count));
    return rows;
  };
  return { outSize, inSize, read, stored: storedLines(checkpoint, matrix, scales) };
}

/** Reads rows of a matrix: the numbers without their scales. */
type RowReader = (first: number, count: number) => Promise<Float32Array>;

function rowReader(checkpoint: Checkpoint, matrix: StoredMatrix): RowReader {
  return matrix.expert === undefined ? linearReader(checkpoint, matrix) : expertReader(checkpoint, matrix);
}

function linearReader(checkpoint: Checkpoint, { tensor, numbers, bits, inSize }: StoredMatrix): RowReader {
  const { dtype } = checkpoint.info(tensor);
  return async (first, count) =>
    decodeRows(await checkpoint.readSlice(tensor, first, count), { numbers, dtype, bits }, count, inSize);
}

function expertReader(checkpoint: Checkpoint, matrix: StoredMatrix): RowReader {
  const { tensor, numbers, bits, outSize, inSize, expert } = matrix;
  assert(expert !== undefined, "the matrix is an expert's");
  const { dtype } = checkpoint.info(tensor);
  let kept: Uint8Array | undefined;
  const whole = async (): Promise<Uint8Array> => {
    kept ??= await checkpoint.readSlice(tensor, expert.index, 1);
    return kept;
  };
  if (!expert.isTransposed) {
    return async (first, count) => {
      const bytes = await whole();
      if (first + count >= outSize) kept = undefined;
      const rowBytes = bytes.byteLength / outSize;
      const rows = bytes.subarray(first * rowBytes, (first + count) * rowBytes);
      return decodeRows(rows, { numbers, dtype, bits }, count, inSize);
    };
  }
  return async (first, count) => {
    const bytes = await whole();
    if (first + count >= outSize) kept = undefined;
    if (numbers === "nvfp4") return transposedPairs(bytes, inSize, outSize, first, count);
    if (isWeightDtype(dtype)) return toLinearLayout(bytes, dtype, inSize, outSize, first, count);
    const turned = toLinearBytes(bytes, bytesOf(dtype, 1), inSize, outSize, first, count);
    return wholeNumbers(turned, dtype);
  };
}
