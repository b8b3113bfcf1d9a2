import type { EntryResult, RowOutput, StepEntry } from "@drover/core";
import { f32, i64, type Session } from "../session.ts";
import { slices } from "./slices.ts";
import type { StepLayout, StepPart } from "./step-layout.ts";

/** Rows of one head run: bounds the logits that exist at once. */
const HEAD_ROWS_MAX = 256;

type Wanted = { row: number; asked: number; full: boolean };

/** Runs the head on the rows whose outputs are wanted and sorts what comes back by entry; entries that left the step are parked. */
export function readHead(
  head: Session,
  x_aD: Float32Array,
  layout: StepLayout,
  entries: readonly StepEntry[],
  topCount: number,
  hiddenSize: number,
  vocabSize: number,
): EntryResult[] {
  const results: EntryResult[] = entries.map(() => ({ kind: "parked" }));
  const wanted: Wanted[] = [];
  for (const part of layout.parts) wanted.push(...wantedRows(part));
  const outputs: RowOutput[] = [];
  for (let at = 0; at < wanted.length; at += HEAD_ROWS_MAX) {
    outputs.push(...runHead(head, x_aD, wanted.slice(at, at + HEAD_ROWS_MAX), topCount, hiddenSize, vocabSize));
  }
  let next = 0;
  for (const part of layout.parts) {
    const count = part.entry.outputs === "all" ? part.rowCount : part.entry.outputs === "last" ? 1 : 0;
    const experts = layout.experts.slice(
      part.offset * layout.moeCount,
      (part.offset + part.rowCount) * layout.moeCount,
    );
    results[part.index] = { kind: "computed", rows: outputs.slice(next, next + count), experts };
    next += count;
  }
  return results;
}

function wantedRows({ entry, offset, rowCount }: StepPart): Wanted[] {
  const last = { row: offset + rowCount - 1, asked: entry.askedIds?.[rowCount - 1] ?? 0, full: entry.fullLogits };
  if (entry.outputs === "none") return [];
  if (entry.outputs === "last") return [last];
  const rows = Array.from({ length: rowCount - 1 }, (_, i) => ({
    row: offset + i,
    asked: entry.askedIds?.[i] ?? 0,
    full: false,
  }));
  return [...rows, last];
}

function runHead(
  head: Session,
  x_aD: Float32Array,
  wanted: readonly Wanted[],
  topCount: number,
  hiddenSize: number,
  vocabSize: number,
): RowOutput[] {
  const r = wanted.length;
  const x = new Float32Array(r * hiddenSize);
  for (const [i, { row }] of wanted.entries())
    x.set(x_aD.subarray(row * hiddenSize, (row + 1) * hiddenSize), i * hiddenSize);
  const fullRows = wanted.flatMap(({ full }, i) => (full ? [BigInt(i)] : []));
  const k = Math.min(topCount, vocabSize);
  const out = head.runFlat({
    x: f32(x, [r, hiddenSize]),
    top_count: i64(BigInt64Array.of(BigInt(k)), [1]),
    asked: i64(
      BigInt64Array.from(wanted, ({ asked }) => BigInt(asked)),
      [r],
    ),
    full_rows: i64(BigInt64Array.from(fullRows), [fullRows.length]),
  });
  const rows = out.subarray(0, r * (2 * k + 2));
  const [values = out, ids = out, lse = out, asked = out] = slices(rows, r, [k, k, 1, 1]);
  const full = out.subarray(rows.length);
  let fullIndex = 0;
  return wanted.map((want, i) => ({
    topIds: Array.from(ids.subarray(i * k, (i + 1) * k)),
    topValues: values.subarray(i * k, (i + 1) * k),
    logSumExp: lse[i] ?? 0,
    askedLogit: asked[i] ?? 0,
    full: want.full ? full.subarray(fullIndex * vocabSize, ++fullIndex * vocabSize) : undefined,
  }));
}
