import { DroverError } from "@drover/core";
import type { MappedLinear } from "@drover/llama4";
import type { FileRecord } from "./file-record.ts";
import type { UnitLayout } from "./layout.ts";

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
      const range = { offset: room.offset, length: matrix.byteCount };
      return { file: path, rowCount, packed, scales, prepared: { key: matrix.key, range } };
    }),
  }));
}
