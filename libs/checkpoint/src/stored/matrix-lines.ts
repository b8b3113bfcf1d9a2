import { assert } from "@drover/core";
import type { Checkpoint } from "../files/checkpoint.ts";
import { isWeightDtype } from "../files/dtype.ts";
import type { NumberForm, StoredLines } from "../tensors/stored-lines.ts";
import type { RowScales } from "./apply-scales.ts";
import type { ScaleReader } from "./scale-reader.ts";
import type { StoredMatrix } from "./stored-matrix.ts";

/**
 * A stored matrix's numbers as they lie in its file: none but these are read. Undefined where a weight is more than a number times a scale: with zero points, with inputs in
 * another order, and of integers of 2 bits.
 */
export function storedLines(
  checkpoint: Checkpoint,
  matrix: StoredMatrix,
  reader: ScaleReader,
): StoredLines | undefined {
  const { tensor, scales, zeroPoints, groupOfInput, outSize, inSize, expert } = matrix;
  const form = formOf(checkpoint, matrix);
  if (form === undefined || zeroPoints !== undefined || groupOfInput !== undefined) return undefined;
  const { shape, byteCount } = checkpoint.info(tensor);
  const [matrixCount = 1, lines = 1] = expert === undefined ? [1, outSize] : shape;
  const matrixBytes = byteCount / matrixCount;
  const lineBytes = matrixBytes / lines;
  const start = expert === undefined ? 0 : expert.index * matrixBytes;
  const columns = scales?.grid.columnCount;
  return {
    form,
    isTransposed: expert?.isTransposed === true,
    lineCount: lines,
    lineBytes,
    groupSize: columns === undefined ? 0 : columns === 1 ? inSize : Number(scales?.grid.columnSize),
    scales: async () =>
      columns === undefined ? new Float32Array(0) : eachOutput(await reader.read(0, outSize), outSize),
    fill: (first, target) => checkpoint.fill(tensor, start + first * lineBytes, target),
  };
}

function formOf(checkpoint: Checkpoint, { tensor, numbers, bits }: StoredMatrix): NumberForm | undefined {
  const { dtype } = checkpoint.info(tensor);
  if (numbers === "packed") return bits === 4 ? "U4" : bits === 8 ? "U8" : undefined;
  if (numbers === "nvfp4") return "E2M1";
  if (isWeightDtype(dtype)) return dtype;
  return dtype === "I8" ? "I8" : undefined;
}

/** Scales of each output, whatever the rows of their grid. */
function eachOutput({ scales, grid, firstGridRow }: RowScales, outSize: number): Float32Array {
  assert(firstGridRow === 0, "the scales of a whole matrix begin with its first row's");
  const { columnCount, rowSize } = grid;
  if (rowSize === 1) return scales;
  const each = new Float32Array(outSize * columnCount);
  for (let out = 0; out < outSize; out++) {
    const row = Math.floor(out / rowSize);
    each.set(scales.subarray(row * columnCount, (row + 1) * columnCount), out * columnCount);
  }
  return each;
}
