import type { ExtentId } from "./kv-store.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { Span } from "./span.ts";

/** Rows [firstRow, firstRow + rowCount) of an extent, which stand at positions [position, position + rowCount) of the sequence. */
export type KvPart = Readonly<{ extent: ExtentId; firstRow: number; rowCount: number; position: number }>;

/** Adds a part, or makes the last one longer where it only continues that. */
export function appendPart(parts: KvPart[], part: KvPart): void {
  const last = parts.at(-1);
  const continues =
    last !== undefined &&
    last.extent === part.extent &&
    last.firstRow + last.rowCount === part.firstRow &&
    last.position + last.rowCount === part.position;
  if (continues) parts[parts.length - 1] = { ...last, rowCount: last.rowCount + part.rowCount };
  else parts.push(part);
}

/** The parts of spans that follow each other, ascending. None crosses a segment's border, because no extent does. */
export function partsOnPath(path: readonly Span[]): KvPart[] {
  const parts: KvPart[] = [];
  for (const span of path) {
    appendPart(parts, {
      extent: span.extent.id,
      firstRow: span.row,
      rowCount: span.rowCount,
      position: span.firstBlock * BLOCK_TOKENS,
    });
  }
  return parts;
}
