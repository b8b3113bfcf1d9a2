import type { StoredForms } from "../config/stored-forms.ts";

/** Which scale an element of a Linear [out, in] has: that in row `floor(out / rowSize)` and column `floor(in / columnSize)` of a grid, row-major. */
export type ScaleGrid = Readonly<{ rowCount: number; columnCount: number; rowSize: number; columnSize: number }>;

/** What a matrix's scales can be told by, beside their shape. */
export type ScaleHints = Pick<StoredForms, "groupSizes" | "blocks">;

/** What a shape of scales means for a Linear, or why it means nothing. */
export type GridReading = Readonly<{ kind: "grid"; grid: ScaleGrid } | { kind: "fault"; what: string }>;

/** One scale for all. */
export function wholeGrid(outSize: number, inSize: number): ScaleGrid {
  return { rowCount: 1, columnCount: 1, rowSize: outSize, columnSize: inSize };
}

/**
 * Reads the shape of a Linear's scales: one for all, one for each output, for each group of an output's inputs, or for each block of outputs and inputs.
 * Sizes of groups are those that config.json names, else what divides the inputs evenly; blocks are those that config.json names.
 */
export function readGrid(shape: readonly number[], outSize: number, inSize: number, hints: ScaleHints): GridReading {
  if (shape.every((size) => size === 1)) return { kind: "grid", grid: wholeGrid(outSize, inSize) };
  // ModelOpt keeps the block's own dimensions, [rows, 1, columns, 1].
  const [rowCount, columnCount] = shape.length === 4 && shape[1] === 1 && shape[3] === 1 ? [shape[0], shape[2]] : shape;
  if (rowCount === undefined || (shape.length > 2 && shape.length !== 4)) return unread(shape, outSize);
  if (columnCount === undefined || columnCount === 1) {
    if (rowCount === outSize) return grid(outSize, 1, 1, inSize);
    if (columnCount === undefined) return unread(shape, outSize);
  }
  const blocks = hints.blocks.filter(
    ([rows, columns]) => Math.ceil(outSize / rows) === rowCount && Math.ceil(inSize / columns) === columnCount,
  );
  const [block, otherBlock] = blocks;
  if (otherBlock !== undefined) return ambiguous(shape, "blocks");
  if (block !== undefined) return grid(rowCount, columnCount, block[0], block[1]);
  if (rowCount !== outSize) return unread(shape, outSize);
  const [size, otherSize] = [...new Set(hints.groupSizes.filter((one) => Math.ceil(inSize / one) === columnCount))];
  if (otherSize !== undefined) return ambiguous(shape, "groups");
  if (size !== undefined) return grid(rowCount, columnCount, 1, size);
  if (columnCount > 0 && inSize % columnCount === 0) return grid(rowCount, columnCount, 1, inSize / columnCount);
  return {
    kind: "fault",
    what: `has shape [${shape}], which does not divide ${inSize} inputs; config.json names no group_size that does`,
  };
}

function grid(rowCount: number, columnCount: number, rowSize: number, columnSize: number): GridReading {
  return { kind: "grid", grid: { rowCount, columnCount, rowSize, columnSize } };
}

function unread(shape: readonly number[], outSize: number): GridReading {
  const what = `has shape [${shape}]; it must be [${outSize}, 1] or [1], or that of groups or of the blocks that config.json names`;
  return { kind: "fault", what };
}

function ambiguous(shape: readonly number[], of: string): GridReading {
  return { kind: "fault", what: `has shape [${shape}], which config.json explains by ${of} of more than one size` };
}
