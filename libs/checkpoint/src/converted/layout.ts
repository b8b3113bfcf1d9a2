import { assert, at } from "@drover/core";
import type { FileRange } from "@drover/llama4";
import { CONVERTED_PART_BYTES_MAX } from "../limits.ts";
import type { Quantization } from "../tensors/quantization.ts";

/** Rows of a Linear that are one matrix: its numbers, its scales, and room for what a CPU's kernels make of both. */
export type PartLayout = Readonly<{
  firstRow: number;
  rowCount: number;
  packed: FileRange;
  scales: FileRange;
  prepared: FileRange;
}>;

export type LinearShape = Readonly<{ outSize: number; inSize: number }>;

export type LinearLayout = LinearShape & Readonly<{ quantization: Quantization; parts: readonly PartLayout[] }>;

/**
 * A unit's file: first the weights, which every CPU can use, then the same as one kind of CPU has packed them.
 * All sizes follow from shapes and setting alone.
 */
export type UnitLayout = Readonly<{
  linears: readonly LinearLayout[];
  /** Numbers and scales, without padding. */
  weightBytes: number;
  /** Where the packed half begins. */
  preparedStart: number;
  byteCount: number;
}>;

/** Kernels want their operands aligned to a cache line. */
const ALIGNMENT = 64;

/** The sums of blocks come in groups of so many rows. Source: MLAS, qnbitgemm (onnxruntime 1.30). */
const SUM_ROWS = 16;

const align = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

/**
 * Places the Linears of one unit in its file. The packed half of a matrix has the size that x86-64's kernels need: numbers, scales, sums of blocks, and
 * room to align two of them; where another CPU's need more, its packing is not stored.
 */
export function unitLayout(linears: readonly LinearShape[], quantization: Quantization): UnitLayout {
  let end = 0;
  const place = (length: number): FileRange => {
    const offset = align(end);
    end = offset + length;
    return { offset, length };
  };
  let weightBytes = 0;
  const weights = linears.map((linear) =>
    partRows(linear, quantization).map((part) => {
      const { packedBytes, scaleBytes } = matrixBytes(part.rowCount, linear.inSize, quantization);
      weightBytes += packedBytes + scaleBytes;
      return { ...part, packed: place(packedBytes), scales: place(scaleBytes) };
    }),
  );
  const preparedStart = align(end);
  const placed = linears.map(({ outSize, inSize }, i) => ({
    outSize,
    inSize,
    quantization,
    parts: at(weights, i).map((part) => ({
      ...part,
      prepared: place(matrixBytes(part.rowCount, inSize, quantization).preparedBytes),
    })),
  }));
  return { linears: placed, weightBytes, preparedStart, byteCount: end };
}

function matrixBytes(rowCount: number, inSize: number, { bits, blockSize }: Quantization) {
  const blockCount = Math.ceil(inSize / blockSize);
  const packedBytes = (rowCount * blockCount * blockSize * bits) / 8;
  const scaleBytes = rowCount * blockCount * Float32Array.BYTES_PER_ELEMENT;
  const sumBytes = Math.ceil(rowCount / SUM_ROWS) * SUM_ROWS * blockCount * Float32Array.BYTES_PER_ELEMENT;
  return { packedBytes, scaleBytes, preparedBytes: packedBytes + scaleBytes + sumBytes + 2 * (ALIGNMENT - 1) };
}

/** Cuts a Linear into equal parts none of which is too large to be packed in bounded memory. */
export function partRows(
  { outSize, inSize }: LinearShape,
  quantization: Quantization,
): { firstRow: number; rowCount: number }[] {
  const { packedBytes } = matrixBytes(1, inSize, quantization);
  const rowsMax = Math.max(SUM_ROWS, Math.floor(CONVERTED_PART_BYTES_MAX / packedBytes));
  const partCount = Math.ceil(outSize / rowsMax);
  const rowCount = Math.ceil(outSize / partCount / SUM_ROWS) * SUM_ROWS;
  const parts = [];
  for (let firstRow = 0; firstRow < outSize; firstRow += rowCount) {
    parts.push({ firstRow, rowCount: Math.min(rowCount, outSize - firstRow) });
  }
  assert(parts.length > 0, "a Linear has rows");
  return parts;
}
