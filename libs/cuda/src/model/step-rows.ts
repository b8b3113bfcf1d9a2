import type { ModelConfig } from "@drover/checkpoint";
import type { KvKind } from "@drover/kv";
import { queryTemperature } from "@drover/llama4";
import type { RowSpan } from "../kernels/attention-kernels.ts";
import type { RemoteSegments } from "../stripes/remote-segments.ts";
import { type PageTable, slotOf } from "./page-table.ts";
import { rowTiles } from "./row-tiles.ts";

/** One sequence's rows in a step: tokens at positions [position, position + n), and where its keys and values are. */
export type RowRun = Readonly<{
  position: number;
  tokenIds: Int32Array;
  tables: Readonly<Record<KvKind, PageTable>>;
  /** Positions before the global table's first are with context workers; undefined: there are none. */
  remote?: RemoteSegments | undefined;
}>;

/** Of each row where its pages are in the table, the first position that it sees, and its slot. */
type KindRows = Readonly<{ starts: Int32Array; firsts: Int32Array; slots: Int32Array }>;

/** A step's rows in the lists that kernels read, each with a number a row. */
export type StepRows = Readonly<{
  rowCount: number;
  tokenIds: Int32Array;
  positions: Int32Array;
  temperatures: Float32Array;
  global: KindRows;
  local: KindRows;
  /** Pages of all sequences in both kinds of layers, one list behind the other. */
  table: Int32Array;
  /** The most positions that a row sees in each kind of layers. */
  seen: Readonly<Record<KvKind, number>>;
  /** See {@link rowTiles}. */
  tiles: Int32Array;
  spans: readonly RowSpan[];
}>;

/** Lays runs out one behind the other. Every row sees its sequence's rows up to itself, but for those that context workers have; in local layers those of its chunk. `tileRows`: of a tile, 0: there are none. */
export function stepRows(
  runs: readonly RowRun[],
  config: Pick<ModelConfig, "temperatureTuning" | "chunkSize">,
  pageRows: number,
  tileRows: number,
): StepRows {
  const rowCount = runs.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const ints = () => new Int32Array(rowCount);
  const kind = () => ({ starts: ints(), firsts: ints(), slots: ints() });
  const rows = {
    tokenIds: ints(),
    positions: ints(),
    temperatures: new Float32Array(rowCount),
    global: kind(),
    local: kind(),
  };
  const table: number[] = [];
  const seen = { global: 1, local: 1 };
  const ranges: { first: number; count: number; position: number }[] = [];
  let row = 0;
  for (const { position: from, tokenIds, tables } of runs) {
    ranges.push({ first: row, count: tokenIds.length, position: from });
    const starts = { global: 0, local: 0 };
    for (const each of ["global", "local"] as const) {
      starts[each] = table.length - tables[each].firstPosition / pageRows;
      for (const page of tables[each].pages) table.push(page);
    }
    for (const [i, tokenId] of tokenIds.entries()) {
      const position = from + i;
      rows.tokenIds[row] = tokenId;
      rows.positions[row] = position;
      rows.temperatures[row] = queryTemperature(config, position);
      for (const each of ["global", "local"] as const) {
        const first = each === "global" ? tables.global.firstPosition : position - (position % config.chunkSize);
        rows[each].starts[row] = starts[each];
        rows[each].firsts[row] = first;
        rows[each].slots[row] = slotOf(tables[each], position, pageRows);
        seen[each] = Math.max(seen[each], position - first + 1);
      }
      row += 1;
    }
  }
  const tiled = rowTiles(ranges, config.chunkSize, tileRows);
  return { rowCount, ...rows, table: Int32Array.from(table), seen, ...tiled };
}
