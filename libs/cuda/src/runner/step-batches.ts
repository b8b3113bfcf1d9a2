import type { StepEntry } from "@drover/core";
import { type KvKind, segmentRowsOf } from "@drover/kv";
import { type HeadRow, headRows } from "@drover/sampling";
import { stored } from "@drover/sequences";
import type { CudaText } from "../model/cuda-text.ts";
import { pageTable } from "../model/page-table.ts";
import type { RowRun } from "../model/step-rows.ts";

/** An entry in a batch: its first row in the batch, its rows, and what the head is asked of them. */
type BatchPart = Readonly<{
  entry: StepEntry;
  offset: number;
  run: RowRun;
  wanted: readonly HeadRow[];
}>;

/** Entries of a step that a card computes at once. */
export type StepBatch = Readonly<{ parts: readonly BatchPart[]; rowCount: number }>;

/** What a batch is bounded by, and where its sequences' rows are. */
type BatchText = Pick<CudaText, "config" | "geometry" | "store" | "rowsMax" | "tableMax">;

/**
 * A step's entries in as few batches as fit: one, unless there are very many rows, or very long sequences. `ahead`: how many rows of each sequence the step before it computes, which are not
 * committed.
 */
export function stepBatches(entries: readonly StepEntry[], text: BatchText, ahead = 0): readonly StepBatch[] {
  const batches: StepBatch[] = [];
  let parts: BatchPart[] = [];
  let [offset, words] = [0, 0];
  const close = () => {
    if (parts.length > 0) batches.push({ parts, rowCount: offset });
    [parts, offset, words] = [[], 0, 0];
  };
  for (const entry of entries) {
    const run = runOf(entry, text, ahead);
    const rowCount = entry.tokenIds.length;
    const own = run.tables.global.pages.length + run.tables.local.pages.length;
    if (offset + rowCount > text.rowsMax || words + own > text.tableMax) close();
    parts.push({ entry, offset, run, wanted: headRows(entry, offset, rowCount) });
    offset += rowCount;
    words += own;
  }
  close();
  return batches;
}

/** Where an entry's rows stand, and the pages of all that they see. */
function runOf({ sequence, tokenIds }: StepEntry, { config, geometry, store }: BatchText, ahead: number): RowRun {
  const kv = stored(sequence);
  const position = kv.length + ahead;
  const table = (kind: KvKind, firstPosition: number) =>
    pageTable(store, (segment) => kv.parts(kind, segment), {
      segmentRows: segmentRowsOf(geometry, kind === "global"),
      firstPosition,
      end: position + tokenIds.length,
      writeFrom: kv.writeFrom(kind),
    });
  const { stripes, remoteEnd: end } = kv;
  const tables = {
    global: table("global", end * geometry.segmentRows),
    local: table("local", position - (position % config.chunkSize)),
  };
  const remote = stripes !== undefined && end > 0 ? { stripes, end } : undefined;
  return { position, tokenIds, tables, remote };
}
