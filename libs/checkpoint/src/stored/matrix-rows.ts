import { assert } from "@drover/core";
import type { Checkpoint } from "../files/checkpoint.ts";
import { bytesOf, isWeightDtype } from "../files/dtype.ts";
import { toLinearBytes, toLinearLayout } from "../tensors/expert-layout.ts";
import type { LinearRows, StoredRows } from "../tensors/linear-rows.ts";
import { applyScales } from "./apply-scales.ts";
import { decodeRows, transposedPairs, wholeNumbers } from "./matrix-numbers.ts";
import { ScaleReader } from "./scale-reader.ts";
import type { StoredMatrix } from "./stored-matrix.ts";

/**
 * A stored matrix as rows of f32, dequantized while they are read. Of an expert among all of them its own bytes are read, once, and kept while the
 * rows are in use. Errors, also of `read`: `invalid_argument` naming file and tensor; `unavailable` where the file cannot be read.
 */
export async function matrixRows(checkpoint: Checkpoint, matrix: StoredMatrix): Promise<LinearRows> {
  const { outSize, inSize, numbers } = matrix;
  const scales = new ScaleReader(checkpoint, matrix);
  const bytes = rowReader(checkpoint, matrix);
  const read = async (first: number, count: number): Promise<Float32Array> => {
    const rows = await bytes.decoded(first, count);
    if (numbers !== "plain") applyScales(rows, first, inSize, await scales.read(first, count));
    return rows;
  };
  return { outSize, inSize, read, stored: await storedRows(checkpoint, matrix, scales, bytes) };
}

/** Reads rows of a matrix: the numbers without their scales, and the bytes as they are where a row is some of them. */
type RowReader = Readonly<{
  decoded: (first: number, count: number) => Promise<Float32Array>;
  raw: (first: number, count: number) => Promise<Uint8Array>;
}>;

/** What is stored as numbers of a type that weights have, with one scale for each output or none; undefined for all others. */
async function storedRows(
  checkpoint: Checkpoint,
  { tensor, numbers, scales, zeroPoints, outSize }: StoredMatrix,
  reader: ScaleReader,
  bytes: RowReader,
): Promise<StoredRows | undefined> {
  const { dtype } = checkpoint.info(tensor);
  if (!isWeightDtype(dtype)) return undefined;
  if (numbers === "plain") return { dtype, scales: undefined, read: bytes.raw };
  if (numbers !== "scaled" || scales?.grid.columnCount !== 1 || zeroPoints !== undefined) return undefined;
  const { scales: values, grid } = await reader.read(0, outSize);
  const each = Float32Array.from({ length: outSize }, (_, out) => values[Math.floor(out / grid.rowSize)] as number);
  return { dtype, scales: each, read: bytes.raw };
}

function rowReader(checkpoint: Checkpoint, matrix: StoredMatrix): RowReader {
  return matrix.expert === undefined ? linearReader(checkpoint, matrix) : expertReader(checkpoint, matrix);
}

function linearReader(checkpoint: Checkpoint, { tensor, numbers, bits, inSize }: StoredMatrix): RowReader {
  const { dtype } = checkpoint.info(tensor);
  const raw: RowReader["raw"] = (first, count) => checkpoint.readSlice(tensor, first, count);
  return {
    raw,
    decoded: async (first, count) => decodeRows(await raw(first, count), { numbers, dtype, bits }, count, inSize),
  };
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
  if (expert.isTransposed) {
    return {
      raw: async (first, count) => toLinearBytes(await whole(), bytesOf(dtype, 1), inSize, outSize, first, count),
      decoded: async (first, count) => {
        const bytes = await whole();
        if (numbers === "nvfp4") return transposedPairs(bytes, inSize, outSize, first, count);
        if (isWeightDtype(dtype)) return toLinearLayout(bytes, dtype, inSize, outSize, first, count);
        const turned = toLinearBytes(bytes, bytesOf(dtype, 1), inSize, outSize, first, count);
        return wholeNumbers(turned, dtype);
      },
    };
  }
  const raw: RowReader["raw"] = async (first, count) => {
    const bytes = await whole();
    const rowBytes = bytes.byteLength / outSize;
    return bytes.subarray(first * rowBytes, (first + count) * rowBytes);
  };
  return {
    raw,
    decoded: async (first, count) => decodeRows(await raw(first, count), { numbers, dtype, bits }, count, inSize),
  };
}
