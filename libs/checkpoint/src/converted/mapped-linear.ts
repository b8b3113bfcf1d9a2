import { DroverError } from "@drover/core";
import type { BlockSize } from "../tensors/quantization.ts";
import type { FileRecord } from "./file-record.ts";
import type { UnitLayout } from "./layout.ts";
import type { Extent } from "./packing.ts";

/** A quantized Linear in a file, as graphs take it: see `MappedLinear` there. */
export type MappedLinear = Readonly<{
  kind: "mapped";
  bits: 4 | 8;
  blockSize: BlockSize;
  parts: readonly Readonly<{
    file: string;
    rowCount: number;
    packed: Extent;
    scales: Extent;
    prepared: Readonly<{ key: string; extent: Extent }> | null;
  }>[];
}>;

/** A unit's Linears in the file at `path`, with what was packed for this CPU unless that is null. Errors: `invalid_argument` naming the path. */
export function mappedLinear(path: string, layout: UnitLayout, prepared: FileRecord["prepared"]): MappedLinear[] {
  let index = 0;
  return layout.linears.map(({ quantization, parts }) => ({
    kind: "mapped",
    ...quantization,
    parts: parts.map((part) => {
      const { rowCount, packed, scales, prepared: room } = part;
      const matrix = prepared?.matrices[index++] ?? null;
      if (matrix === null) return { file: path, rowCount, packed, scales, prepared: null };
      if (matrix.byteCount > room.length) {
        throw new DroverError(
          "invalid_argument",
          `${path}: its manifest names bytes of another matrix; convert the checkpoint again`,
        );
      }
      const extent = { offset: room.offset, length: matrix.byteCount };
      return { file: path, rowCount, packed, scales, prepared: { key: matrix.key, extent } };
    }),
  }));
}
