import { assert, at, type DrawnToken, type RowLogprobs, type StepEntry, type TokenDraw } from "@drover/core";
import { needsFullLogits, sampleToken } from "./chain.ts";

/** One row that the head computes, and what is read from it. */
export type HeadRow = Readonly<{
  /** Row of the step. */
  row: number;
  /** The token whose logit is asked for. */
  asked: number;
  /** As many of the likeliest tokens are asked for: one at least where a token is drawn. */
  topCount: number;
  /** How a token is drawn from it; undefined where it answers a prompt query. */
  draw: TokenDraw | undefined;
  /** Whether the draw reads the row's whole logits. */
  needsLogits: boolean;
}>;

/** What the head has computed of one row. */
export type HeadOutput = Readonly<{
  /** The likeliest tokens, best first, as many as were asked for or more. */
  topIds: ArrayLike<number>;
  topValues: ArrayLike<number>;
  logSumExp: number;
  askedLogit: number;
  /** The raw logits, [V], where they are needed and nobody has drawn yet. */
  logits: Float32Array | undefined;
  /** The token that was drawn where the logits are, as `sampleToken` draws it, and its raw logit. */
  drawn?: Readonly<{ tokenId: number; logit: number }> | undefined;
}>;

/** What an entry's rows answer: its prompt query, and the token that is drawn behind them. */
export type EntryAnswers = Readonly<{ prompt: readonly RowLogprobs[]; tokens: readonly DrawnToken[] }>;

/** The rows that an entry wants of the head, where its rows are [offset, offset + rowCount) of a step: those of its prompt query, and then the one it draws from. */
export function headRows({ prompt, draw }: StepEntry, offset: number, rowCount: number): HeadRow[] {
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

/** Reads what was computed of an entry's {@link headRows}, one output for each, in order. */
export function entryAnswers(rows: readonly HeadRow[], outputs: readonly HeadOutput[]): EntryAnswers {
  assert(rows.length === outputs.length, "every row of the head has an output");
  const prompt: RowLogprobs[] = [];
  const tokens: DrawnToken[] = [];
  for (const [i, row] of rows.entries()) {
    const output = at(outputs, i);
    if (row.draw === undefined) prompt.push(logprobsOf(output, output.askedLogit, row.topCount));
    else tokens.push(drawn(row.draw, output));
  }
  return { prompt, tokens };
}

/** A row's token, drawn here or where its logits are: plain greedy is the likeliest one. */
function drawn(draw: TokenDraw, output: HeadOutput): DrawnToken {
  const { tokenId, logit } = output.drawn ?? drawnHere(draw, output);
  const { topLogprobs } = draw.params;
  return { tokenId, logprobs: topLogprobs < 0 ? undefined : logprobsOf(output, logit, topLogprobs) };
}

function drawnHere(draw: TokenDraw, { logits, topIds, topValues }: HeadOutput): NonNullable<HeadOutput["drawn"]> {
  if (logits === undefined) return { tokenId: at(topIds, 0), logit: at(topValues, 0) };
  const tokenId = sampleToken({ logits, ...draw });
  return { tokenId, logit: at(logits, tokenId) };
}

function logprobsOf({ topIds, topValues, logSumExp }: HeadOutput, logit: number, topCount: number): RowLogprobs {
  const top = Array.from({ length: Math.min(topCount, topIds.length) }, (_, i) => {
    return { tokenId: at(topIds, i), logprob: at(topValues, i) - logSumExp };
  });
  return { logprob: logit - logSumExp, top };
}
