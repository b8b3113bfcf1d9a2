import { assert, at, type DrawnToken, type EntryResult, type RowLogprobs, type StepEntry } from "@drover/core";
import { needsFullLogits, sampleToken } from "@drover/sampling";
import { HEAD_ROWS_MAX } from "../limits.ts";
import { f32, i64, type Session } from "../session.ts";
import { slices } from "./slices.ts";
import type { StepLayout, StepPart } from "./step-layout.ts";

/** One row that the head computes, and what is read from it. `draw`: a token is drawn from it; else it answers a prompt query. */
type HeadRow = Readonly<{
  row: number;
  asked: number;
  topCount: number;
  draw: StepEntry["draw"];
  needsLogits: boolean;
}>;

/** What the head has computed of one row. */
type HeadOutput = Readonly<{
  topIds: Float32Array;
  topValues: Float32Array;
  logSumExp: number;
  askedLogit: number;
  /** The raw logits, [V], where they are needed. */
  logits: Float32Array | undefined;
}>;

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
  const rows = layout.parts.flatMap(headRows);
  const outputs: HeadOutput[] = [];
  for (let from = 0; from < rows.length; from += HEAD_ROWS_MAX) {
    outputs.push(...runHead(head, x_aD, rows.slice(from, from + HEAD_ROWS_MAX), hiddenSize, vocabSize));
  }
  let next = 0;
  for (const part of layout.parts) {
    const prompt: RowLogprobs[] = [];
    const tokens: DrawnToken[] = [];
    const count = (part.entry.prompt?.nextIds.length ?? 0) + (part.entry.draw === undefined ? 0 : 1);
    for (let i = next; i < next + count; i++) {
      const [row, output] = [rows[i], outputs[i]];
      assert(row !== undefined && output !== undefined, "every row of the head has an output");
      if (row.draw === undefined) prompt.push(logprobsOf(output, output.askedLogit, row.topCount));
      else tokens.push(drawn(row, row.draw, output));
    }
    next += count;
    results[part.index] = {
      kind: "computed",
      rowCount: part.rowCount,
      tokens,
      prompt,
      experts: expertsOf(layout, part),
    };
  }
  return results;
}

function headRows({ entry, offset, rowCount }: StepPart): HeadRow[] {
  const { prompt, draw } = entry;
  const rows = Array.from(prompt?.nextIds ?? [], (asked, i): HeadRow => {
    return { row: offset + i, asked, topCount: prompt?.topCount ?? 0, draw: undefined, needsLogits: false };
  });
  if (draw !== undefined) {
    const { params, index } = draw;
    const needsLogits = needsFullLogits(params, index, draw.allowed);
    rows.push({ row: offset + rowCount - 1, asked: 0, topCount: Math.max(1, params.topLogprobs), draw, needsLogits });
  }
  return rows;
}

/** Draws a row's token: plain greedy is the likeliest one. */
function drawn(_row: HeadRow, draw: NonNullable<HeadRow["draw"]>, output: HeadOutput): DrawnToken {
  const { logits, topIds, topValues } = output;
  const [likeliest] = topIds;
  assert(likeliest !== undefined, "a row has a likeliest token");
  const tokenId = logits === undefined ? likeliest : sampleToken({ logits, ...draw });
  const { topLogprobs } = draw.params;
  if (topLogprobs < 0) return { tokenId, logprobs: undefined };
  const logit = logits === undefined ? topValues[0] : logits[tokenId];
  assert(logit !== undefined, "a drawn token is one of the vocabulary");
  return { tokenId, logprobs: logprobsOf(output, logit, topLogprobs) };
}

function logprobsOf({ topIds, topValues, logSumExp }: HeadOutput, logit: number, topCount: number): RowLogprobs {
  const top = Array.from(topIds.subarray(0, topCount), (tokenId, i) => {
    return { tokenId, logprob: at(topValues, i) - logSumExp };
  });
  return { logprob: logit - logSumExp, top };
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
