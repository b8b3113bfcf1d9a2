import { at, type EntryResult, type StepEntry } from "@drover/core";
import { entryAnswers, type HeadOutput, type HeadRow, headRows } from "@drover/sampling";
import { HEAD_ROWS_MAX } from "../limits.ts";
import { f32, i64, type Session } from "../session.ts";
import { slices } from "./slices.ts";
import type { StepLayout, StepPart } from "./step-layout.ts";

/** Runs the head on the rows of which something is asked, draws tokens, and sorts what comes of it by entry; entries that left the step are parked. */
export function readHead(
  head: Session,
  x_aD: Float32Array,
  layout: StepLayout,
  entries: readonly StepEntry[],
  hiddenSize: number,
  vocabSize: number,
): EntryResult[] {
  const results: EntryResult[] = entries.map(() => ({ kind: "parked" }));
  const wanted = layout.parts.map(({ entry, offset, rowCount }) => headRows(entry, offset, rowCount));
  const rows = wanted.flat();
  const outputs: HeadOutput[] = [];
  for (let from = 0; from < rows.length; from += HEAD_ROWS_MAX) {
    outputs.push(...runHead(head, x_aD, rows.slice(from, from + HEAD_ROWS_MAX), hiddenSize, vocabSize));
  }
  let next = 0;
  for (const [i, part] of layout.parts.entries()) {
    const own = at(wanted, i);
    const answers = entryAnswers(own, outputs.slice(next, next + own.length));
    next += own.length;
    results[part.index] = {
      kind: "computed",
      rowCount: part.rowCount,
      ...answers,
      experts: expertsOf(layout, part),
    };
  }
  return results;
}

function expertsOf({ experts, moeCount }: StepLayout, { entry, offset, rowCount }: StepPart): Uint16Array {
  return entry.experts ? experts.slice(offset * moeCount, (offset + rowCount) * moeCount) : NO_EXPERTS;
}

const NO_EXPERTS = new Uint16Array(0);

function runHead(
  head: Session,
  x_aD: Float32Array,
  wanted: readonly HeadRow[],
  hiddenSize: number,
  vocabSize: number,
): HeadOutput[] {
  const r = wanted.length;
  const x = new Float32Array(r * hiddenSize);
  for (const [i, { row }] of wanted.entries())
    x.set(x_aD.subarray(row * hiddenSize, (row + 1) * hiddenSize), i * hiddenSize);
  const fullRows = wanted.flatMap(({ needsLogits }, i) => (needsLogits ? [BigInt(i)] : []));
  const k = Math.min(
    wanted.reduce((most, { topCount }) => Math.max(most, topCount), 1),
    vocabSize,
  );
  const out = head.runFlat({
    x: f32(x, [r, hiddenSize]),
    top_count: i64(BigInt64Array.of(BigInt(k)), [1]),
    asked: i64(
      BigInt64Array.from(wanted, ({ asked }) => BigInt(asked)),
      [r],
    ),
    full_rows: i64(BigInt64Array.from(fullRows), [fullRows.length]),
  });
  const flat = out.subarray(0, r * (2 * k + 2));
  const [values, ids, lse, asked] = slices(flat, r, [k, k, 1, 1]);
  const full = out.subarray(flat.length);
  let fullIndex = 0;
  return wanted.map((want, i) => ({
    topIds: ids.subarray(i * k, (i + 1) * k),
    topValues: values.subarray(i * k, (i + 1) * k),
    logSumExp: at(lse, i),
    askedLogit: at(asked, i),
    logits: want.needsLogits ? full.subarray(fullIndex * vocabSize, ++fullIndex * vocabSize) : undefined,
  }));
}
