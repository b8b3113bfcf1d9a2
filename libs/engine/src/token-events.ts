import type { DrawnToken, FinishReason, PromptEvent, RowLogprobs, TokenEvent } from "@drover/core";
import type { Choice } from "./choice.ts";

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
  rows: readonly RowLogprobs[],
  previous: RowLogprobs | undefined,
  experts: Uint16Array,
): PromptEvent {
  const { promptTopLogprobs, routedExperts } = choice.request.task.params;
  const before = Array.from({ length: count }, (_, i) => (i === 0 ? previous : rows[i - 1]));
  return {
    kind: "prompt",
    start: first,
    count,
    // Nothing comes before position 0.
    logprobs: promptTopLogprobs >= 0 ? before.map((row) => (row === undefined ? 0 : row.logprob)) : [],
    tops: promptTopLogprobs > 0 ? before.map((row) => (row === undefined ? [] : row.top)) : [],
    experts: routedExperts ? experts.slice() : NO_EXPERTS,
  };
}

/** One new token, with what was asked for. `rowExperts` are those of the row that it was drawn from. */
export function tokenEvent(
  choice: Choice,
  { tokenId, logprobs }: DrawnToken,
  finish: FinishReason | undefined,
  rowExperts: Uint16Array,
): TokenEvent {
  const index = choice.nextIndex;
  return {
    kind: "token",
    choice: choice.index,
    index,
    tokenId,
    logprob: logprobs === undefined ? 0 : logprobs.logprob,
    top: logprobs === undefined ? [] : logprobs.top,
    experts: choice.request.task.params.routedExperts && index > 0 ? rowExperts.slice() : NO_EXPERTS,
    finish,
  };
}
