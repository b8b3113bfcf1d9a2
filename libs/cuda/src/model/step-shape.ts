import type { KvKind } from "@drover/kv";
import type { RowSpan } from "../kernels/attention-kernels.ts";
import type { StepRows } from "./step-rows.ts";

/** What decides which kernels a step is, and with which grids. */
export type StepShape = Readonly<{
  /** Rows, idle ones among them. */
  rowCount: number;
  parts: Readonly<Record<KvKind, number>>;
  /** Undefined: no rows attend in tiles. */
  tiling: StepTiling | undefined;
  /** Whether context workers have a part of what its rows attend to. */
  isStriped?: boolean;
}>;

/** Tiles of a step's rows, and the most positions that one of them sees. */
type StepTiling = Readonly<{ tileCount: number; spans: readonly RowSpan[]; seen: Readonly<Record<KvKind, number>> }>;

/** How a step's rows attend, where none of them is idle. */
export function shapeOf({ rowCount, parts, tiles, spans, seen }: StepRows, isStriped = false): StepShape {
  return {
    rowCount,
    parts,
    isStriped,
    tiling: tiles.length === 0 ? undefined : { tileCount: tiles.length, spans, seen },
  };
}
