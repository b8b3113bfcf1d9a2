import type { KvKind } from "@drover/kv";
import type { RowSpan } from "../kernels/attention-kernels.ts";
import type { StepRows } from "./step-rows.ts";

/** What decides which kernels a step is, and with which grids. */
export type StepShape = Readonly<{
  /** Rows, idle ones among them. */
  rowCount: number;
  /** The most positions that a row sees in each kind of layers. */
  seen: Readonly<Record<KvKind, number>>;
  /** Undefined: no rows attend in tiles. */
  tiling: StepTiling | undefined;
  /** Whether context workers have a part of what its rows attend to. */
  isStriped?: boolean;
  /** Links by which rows go to other cards' experts without this process; undefined: they wait for it in each layer. */
  linkCount?: number;
}>;

/** Tiles of a step's rows. */
type StepTiling = Readonly<{ tileCount: number; spans: readonly RowSpan[] }>;

/** How a step's rows attend, where none of them is idle. */
export function shapeOf({ rowCount, tiles, spans, seen }: StepRows, isStriped = false): StepShape {
  const tiling = tiles.length === 0 ? undefined : { tileCount: tiles.length, spans };
  return { rowCount, seen, isStriped, tiling };
}
