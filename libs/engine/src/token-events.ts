import {
  at,
  type FinishReason,
  type PromptEvent,
  type RankedToken,
  type RowOutput,
  type TokenEvent,
} from "@drover/core";
import type { Choice } from "./choice.ts";

/** The k likeliest tokens of a row with their log-probabilities. */
function likeliest(row: RowOutput, k: number): readonly RankedToken[] {
  return row.topIds.slice(0, k).map((tokenId, i) => ({ tokenId, logprob: at(row.topValues, i) - row.logSumExp }));
}

const NO_EXPERTS = new Uint16Array();

/**
 * What a step tells of the prompt: rows [first, first + n) were computed; row p predicts position p + 1. Log-probabilities of positions
 * first + 1 .. first + n and experts of positions first .. first + n - 1 are known, so positions are reported as their own row is computed,
 * with the log-probability that the row before gave (kept by the caller in `previous`).
 */
export function promptEvent(
  choice: Choice,
  first: number,
  count: number,
  rows: readonly RowOutput[],
  previous: RowOutput | undefined,
  experts: Uint16Array,
): PromptEvent {
  const { params } = choice.request.task;
  const wanted = params.promptTopLogprobs >= 0;
  const before = (i: number) => (i === 0 ? previous : rows[i - 1]);
  return {
    kind: "prompt",
    start: first,
    count,
    logprobs: wanted ? Array.from({ length: count }, (_, i) => logprobOfAsked(before(i))) : [],
    tops:
      params.promptTopLogprobs > 0
        ? Array.from({ length: count }, (_, i) => {
            const row = before(i);
            return row === undefined ? [] : likeliest(row, params.promptTopLogprobs);
          })
        : [],
    experts: params.routedExperts ? experts.slice() : NO_EXPERTS,
  };
}

function logprobOfAsked(row: RowOutput | undefined): number {
  return row === undefined ? 0 : row.askedLogit - row.logSumExp;
}

/** One new token, with what was asked for. `rowExperts` are those of the row that produced it. */
export function tokenEvent(
  choice: Choice,
  tokenId: number,
  row: RowOutput,
  finish: FinishReason | undefined,
  rowExperts: Uint16Array,
): TokenEvent {
  const { topLogprobs, routedExperts } = choice.request.task.params;
  const index = choice.nextIndex;
  return {
    kind: "token",
    choice: choice.index,
    index,
    tokenId,
    logprob: topLogprobs >= 0 ? logprobOf(tokenId, row) : 0,
    top: topLogprobs > 0 ? likeliest(row, topLogprobs) : [],
    experts: routedExperts && index > 0 ? rowExperts.slice() : NO_EXPERTS,
    finish,
  };
}

function logprobOf(tokenId: number, row: RowOutput): number {
  const logit = row.full?.[tokenId] ?? row.topValues[row.topIds.indexOf(tokenId)] ?? row.askedLogit;
  return logit - row.logSumExp;
}
