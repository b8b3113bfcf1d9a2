import { assert } from "@drover/core";
import type { Checkpoint } from "../files/checkpoint.ts";
import type { RowScales } from "./apply-scales.ts";
import { wholeNumbers } from "./matrix-numbers.ts";
import type { ScaleGrid } from "./scale-grid.ts";
import type { StoredMatrix, StoredScales } from "./stored-matrix.ts";
import { failTensor, requireFinite } from "./tensor-fault.ts";

/** Reads the scales of a matrix's rows: those of a Linear a few rows at a time, all others once. */
export class ScaleReader {
  readonly #checkpoint: Checkpoint;
  readonly #matrix: StoredMatrix;
  #whole: Promise<RowScales> | undefined;
  #second: Promise<Float32Array> | undefined;
  #columns: Promise<Int32Array> | undefined;

  constructor(checkpoint: Checkpoint, matrix: StoredMatrix) {
    this.#checkpoint = checkpoint;
    this.#matrix = matrix;
  }

  /** What rows [first, first + count) are scaled by. Bug for a matrix without scales. Errors: `invalid_argument` naming file and tensor. */
  async read(first: number, count: number): Promise<RowScales> {
    const { scales, expert } = this.#matrix;
    assert(scales !== undefined, "a matrix that is scaled has scales");
    const { rowCount, rowSize } = scales.grid;
    if (expert === undefined && rowSize === 1 && rowCount === this.#matrix.outSize)
      return this.#rows(scales, first, count);
    this.#whole ??= this.#rows(scales, 0, rowCount);
    return this.#whole;
  }

  /** Rows [first, first + count) of the grid. */
  async #rows(stored: StoredScales, first: number, count: number): Promise<RowScales> {
    const { grid } = stored;
    const scales = await this.#values(stored, first, count);
    requireFinite(this.#checkpoint, stored.tensor, scales);
    const second = await this.#secondValues();
    if (second !== undefined) this.#scaleTwice(scales, second, grid, first);
    return {
      scales,
      zeros: await this.#zeros(grid, first, count),
      grid,
      firstGridRow: first,
      columnOfInput: await this.#columnOfInput(grid),
    };
  }

  /** Some rows of a grid's tensor, [count, columns]. */
  async #values({ tensor, grid, isPerExpert, isTransposed }: StoredScales, first: number, count: number) {
    const { expert } = this.#matrix;
    const { rowCount, columnCount } = grid;
    if (!isPerExpert) {
      const isWhole = first === 0 && count === rowCount;
      return Float32Array.from(
        isWhole ? await this.#checkpoint.readF32(tensor) : await this.#checkpoint.readF32Slice(tensor, first, count),
      );
    }
    assert(expert !== undefined && first === 0 && count === rowCount, "an expert's scales are read at once");
    const { dtype, byteCount } = this.#checkpoint.info(tensor);
    const bytes = byteCount / this.#expertCount;
    const values = wholeNumbers(await this.#checkpoint.readBytes(tensor, expert.index * bytes, bytes), dtype);
    return isTransposed ? transposed(values, columnCount, rowCount) : Float32Array.from(values);
  }

  get #expertCount(): number {
    const [expertCount] = this.#checkpoint.info(this.#matrix.tensor).shape;
    assert(expertCount !== undefined, "the first dimension of fused experts is their number");
    return expertCount;
  }

  /** NVFP4's second scale. A scale of zero, or none that is finite, would make every weight something else than was meant. */
  async #secondValues(): Promise<Float32Array | undefined> {
    const { second } = this.#matrix;
    if (second === undefined) return undefined;
    this.#second ??= this.#values(second, 0, second.grid.rowCount);
    const values = await this.#second;
    requireFinite(this.#checkpoint, second.tensor, values);
    if (values.includes(0)) failTensor(this.#checkpoint, second.tensor, "is zero");
    return values;
  }

  #scaleTwice(scales: Float32Array, second: Float32Array, grid: ScaleGrid, first: number): void {
    const { second: stored } = this.#matrix;
    assert(stored !== undefined, "there is a second scale");
    for (let i = 0; i < scales.length; i++) {
      const row = first + Math.floor(i / grid.columnCount);
      const by = second[Math.floor((row * grid.rowSize) / stored.grid.rowSize)] ?? Number.NaN;
      scales[i] = stored.isDivisor ? (scales[i] ?? 0) / by : (scales[i] ?? 0) * by;
    }
  }

  async #zeros({ rowCount, columnCount }: ScaleGrid, first: number, count: number): Promise<Float32Array | undefined> {
    const { zeroPoints, bits } = this.#matrix;
    if (zeroPoints === undefined) return undefined;
    const { tensor, isPacked } = zeroPoints;
    const { dtype } = this.#checkpoint.info(tensor);
    if (!isPacked) {
      const isWhole = first === 0 && count === rowCount;
      const bytes = isWhole
        ? await this.#checkpoint.readBytes(tensor)
        : await this.#checkpoint.readSlice(tensor, first, count);
      return Float32Array.from(wholeNumbers(bytes, dtype));
    }
    const perWord = 32 / bits;
    const firstWord = Math.floor(first / perWord);
    const wordCount = Math.ceil((first + count) / perWord) - firstWord;
    const words = await this.#checkpoint.readSlice(tensor, firstWord, wordCount);
    return unpackedColumns(words, bits, columnCount, first - firstWord * perWord, count);
  }

  async #columnOfInput(grid: ScaleGrid): Promise<Int32Array | undefined> {
    const { groupOfInput } = this.#matrix;
    if (groupOfInput === undefined) return undefined;
    this.#columns ??= this.#readOrder(groupOfInput, grid);
    const columns = await this.#columns;
    // compressed-tensors fills it with -1 where inputs kept their order.
    return columns.includes(-1) ? undefined : columns;
  }

  async #readOrder(tensor: string, { columnCount, columnSize }: ScaleGrid): Promise<Int32Array> {
    const { dtype } = this.#checkpoint.info(tensor);
    const bytes = await this.#checkpoint.readBytes(tensor);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const columns = Int32Array.from({ length: this.#matrix.inSize }, (_, i) => {
      const column = dtype === "I64" ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true);
      // What no group has stays so in 32 bits.
      return Math.abs(column) < columnCount ? column : columnCount;
    });
    if (columns.includes(-1)) return columns;
    const counts = new Uint32Array(columnCount);
    for (const column of columns) {
      const isOne = column >= 0 && column < columnCount;
      if (isOne) counts[column] = (counts[column] ?? 0) + 1;
      if (!isOne || (counts[column] ?? 0) > columnSize)
        failTensor(this.#checkpoint, tensor, `does not put ${columnSize} inputs into each of ${columnCount} groups`);
    }
    return columns;
  }
}

/** [rows, columns] of a tensor that lies [columns, rows]. */
function transposed(values: Float32Array, columnCount: number, rowCount: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let column = 0; column < columnCount; column++)
    for (let row = 0; row < rowCount; row++) out[row * columnCount + column] = values[column * rowCount + row] ?? 0;
  return out;
}

/** Integers that are packed along the first dimension, [words, columns]: rows [first, first + count) of them. */
function unpackedColumns(
  words: Uint8Array,
  bits: number,
  columnCount: number,
  first: number,
  count: number,
): Float32Array {
  const perWord = 32 / bits;
  const out = new Float32Array(count * columnCount);
  for (let row = 0; row < count; row++) {
    const word = Math.floor((first + row) / perWord);
    const bit = ((first + row) % perWord) * bits;
    for (let column = 0; column < columnCount; column++) {
      const byte = words[(word * columnCount + column) * 4 + (bit >> 3)] ?? 0;
      out[row * columnCount + column] = ((byte >> (bit & 7)) & (2 ** bits - 1)) - 2 ** (bits - 1);
    }
  }
  return out;
}
