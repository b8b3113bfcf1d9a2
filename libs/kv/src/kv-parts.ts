import type { ExtentId } from "./kv-store.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { PrefixNode } from "./prefix-node.ts";

/**
 * A part of a sequence: rows [firstRow, firstRow + rowCount) of an extent are its positions [position, position +
 * rowCount).
 */
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

/** The parts of a path's nodes, ascending. None crosses a segment's border, because no extent does. */
export function partsOnPath(path: readonly PrefixNode[]): KvPart[] {
  const parts: KvPart[] = [];
  for (const node of path) {
    appendPart(parts, {
      extent: node.extent.id,
      firstRow: node.firstRow,
      rowCount: node.rowCount,
      position: node.firstBlock * BLOCK_TOKENS,
    });
  }
  return parts;
}
