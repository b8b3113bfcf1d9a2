import type { LinearRows, NumberForm, Quantization, StoredLines } from "@drover/checkpoint";
import { assert } from "@drover/core";
import { matrixBytes, type RowFormat, type TileFormat } from "./weight-format.ts";

/** Integers that share a scale, as kernels of integers know. The larger takes less memory. */
const BLOCK_SIZES = [128, 64, 32] as const;

/** How a matrix's rows come to lie before they are multiplied or brought into tiles: what they become, and what is done with the stored ones. */
export type PreparedRows = Readonly<{ format: RowFormat; by: "nothing" | "centre" | "floats" | "quantize" }>;

/** The lines of rows; of those that only the checkpoint's reader knows, f32 that it makes. */
export function linesOf(rows: LinearRows): StoredLines {
  const { stored, inSize, outSize } = rows;
  if (stored !== undefined) return stored;
  const lineBytes = Float32Array.BYTES_PER_ELEMENT * inSize;
  return {
    form: "F32",
    isTransposed: false,
    lineCount: outSize,
    lineBytes,
    groupSize: 0,
    scales: async () => new Float32Array(0),
    fill: async (first, target) => {
      const { buffer, byteOffset, byteLength } = await rows.read(first, target.byteLength / lineBytes);
      target.set(new Uint8Array(buffer, byteOffset, byteLength));
    },
  };
}

/** What all become: integers in blocks where they are to be quantized; else what they are stored as, where a card multiplies it and all are alike, else f32. */
export function preparedFormat(matrices: readonly LinearRows[], quantization: Quantization | null): RowFormat {
  if (quantization !== null) return { kind: "blocks", ...quantization };
  const [first, ...others] = matrices.map((rows) => storedFormat(linesOf(rows), rows));
  assert(first !== undefined, "there are matrices");
  const isAlike = others.every((other) => JSON.stringify(other) === JSON.stringify(first));
  return isAlike ? first : { kind: "f32" };
}

/** What is done with stored rows so that they are of a format. */
export function preparation(lines: StoredLines, format: RowFormat, quantization: Quantization | null): PreparedRows {
  if (quantization !== null) return { format, by: "quantize" };
  if (format.kind === "f32" && lines.form !== "F32") return { format, by: "floats" };
  return { format, by: lines.form === "I8" ? "centre" : "nothing" };
}

/** What rows of a format become in tiles. */
export function tilesOf(format: RowFormat): TileFormat {
  if (format.kind === "e4m3") return { kind: "tiles", numbers: "e4m3" };
  if (format.kind === "blocks") return { kind: "tiles", numbers: { bits: format.bits, blockSize: format.blockSize } };
  return { kind: "tiles", numbers: "f16" };
}

/** The stored scales as the prepared rows have them: as many a row as the format or, where they are applied, the stored form has. */
export async function scalesFor(
  lines: StoredLines,
  { format, by }: PreparedRows,
  { outSize, inSize }: Readonly<{ outSize: number; inSize: number }>,
): Promise<Float32Array> {
  const scales = await lines.scales();
  if (by === "floats" || by === "quantize" || format.kind !== "blocks") return scales;
  const { groupSize } = lines;
  if (groupSize === format.blockSize) return scales;
  const [blocks, groups] = [Math.ceil(inSize / format.blockSize), Math.ceil(inSize / groupSize)];
  return Float32Array.from({ length: outSize * blocks }, (_, i) => {
    const group = Math.floor(((i % blocks) * format.blockSize) / groupSize);
    return scales[Math.floor(i / blocks) * groups + group] ?? Number.NaN;
  });
}

function storedFormat(lines: StoredLines, { outSize, inSize }: LinearRows): RowFormat {
  const { form, groupSize } = lines;
  if (form === "BF16" && groupSize === 0) return { kind: "bf16" };
  if (form === "F8_E4M3" && groupSize >= inSize) return { kind: "e4m3" };
  const bits = bitsOf(form);
  if (bits === undefined) return { kind: "f32" };
  const blockSize = BLOCK_SIZES.find((size) => {
    const { weightBytes } = matrixBytes({ kind: "blocks", bits, blockSize: size }, outSize, inSize);
    return (groupSize >= inSize || groupSize % size === 0) && weightBytes === lines.lineBytes * lines.lineCount;
  });
  return blockSize === undefined ? { kind: "f32" } : { kind: "blocks", bits, blockSize };
}

function bitsOf(form: NumberForm): 4 | 8 | undefined {
  if (form === "U4") return 4;
  return form === "U8" || form === "I8" ? 8 : undefined;
}
