import { assert } from "@drover/core";
import type { ScaleGrid } from "./scale-grid.ts";

/** Scales and zero points of some rows of a matrix. */
export type RowScales = Readonly<{
  /** [rows of the grid from `firstGridRow` on, columns]. */
  scales: Float32Array;
  /** The same shape; subtracted before anything is scaled. */
  zeros: Float32Array | undefined;
  grid: ScaleGrid;
  firstGridRow: number;
  /** For each input its column of the grid, where that is not `floor(in / columnSize)`. */
  columnOfInput: Int32Array | undefined;
}>;

/**
 * Multiplies rows [first, first + count) of a matrix, given as decoded numbers [count, in], by their scales, in place: `(number - zero) * scale`,
 * rounded once.
 */
export function applyScales(numbers: Float32Array, first: number, inSize: number, by: RowScales): void {
  const { grid, scales, zeros, firstGridRow, columnOfInput } = by;
  const { columnCount, columnSize, rowSize } = grid;
  const count = numbers.length / inSize;
  for (let row = 0; row < count; row++) {
    const base = (Math.floor((first + row) / rowSize) - firstGridRow) * columnCount;
    const start = row * inSize;
    assert(base >= 0 && base + columnCount <= scales.length, "the scales of every row are there");
    if (columnOfInput !== undefined) {
      for (let i = 0; i < inSize; i++) {
        const at = base + (columnOfInput[i] ?? 0);
        numbers[start + i] = ((numbers[start + i] ?? 0) - (zeros?.[at] ?? 0)) * (scales[at] ?? 0);
      }
      continue;
    }
    for (let column = 0; column < columnCount; column++) {
      const scale = scales[base + column] ?? 0;
      const zero = zeros?.[base + column] ?? 0;
      const end = start + Math.min(inSize, (column + 1) * columnSize);
      if (zero === 0) for (let i = start + column * columnSize; i < end; i++) numbers[i] = (numbers[i] ?? 0) * scale;
      else for (let i = start + column * columnSize; i < end; i++) numbers[i] = ((numbers[i] ?? 0) - zero) * scale;
    }
  }
}
