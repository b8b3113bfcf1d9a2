import { create } from "@bufbuild/protobuf";
import type { RowOutput } from "@drover/core";
import {
  type FinishReason,
  PromptInfoSchema,
  type RequestEvent,
  TokenEventSchema,
  type TopLogprobs,
  TopLogprobsSchema,
} from "@drover/proto";
import type { Choice } from "./choice.ts";

/** The k likeliest tokens of a row with their log-probabilities. */
function topLogprobs(row: RowOutput, k: number): TopLogprobs {
  return create(TopLogprobsSchema, {
    tokenIds: row.topIds.slice(0, k),
    logprobs: Array.from(row.topValues.subarray(0, k), (value) => value - row.logSumExp),
  });
}

function littleEndian(experts: Uint16Array): Uint8Array {
  return new Uint8Array(experts.buffer, experts.byteOffset, experts.byteLength).slice();
}

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
): RequestEvent["event"] {
  const { params } = choice.request.task;
  const wanted = params.promptTopLogprobs >= 0;
  const before = (i: number) => (i === 0 ? previous : rows[i - 1]);
  return {
    case: "prompt",
    value: create(PromptInfoSchema, {
      start: first,
      count,
      logprobs: wanted ? Array.from({ length: count }, (_, i) => logprobOfAsked(before(i))) : [],
      tops:
        params.promptTopLogprobs > 0
          ? Array.from({ length: count }, (_, i) => {
              const row = before(i);
              return row === undefined ? create(TopLogprobsSchema) : topLogprobs(row, params.promptTopLogprobs);
            })
          : [],
      experts: params.routedExperts ? littleEndian(experts) : new Uint8Array(),
    }),
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
  finish: FinishReason,
  rowExperts: Uint16Array,
): RequestEvent["event"] {
  const { params } = choice.request.task;
  const index = choice.nextIndex;
  const event = create(TokenEventSchema, { choice: choice.index, index, tokenId, finish });
  if (params.topLogprobs >= 0) {
    const at = row.topIds.indexOf(tokenId);
    const logit = row.full?.[tokenId] ?? row.topValues[at] ?? row.askedLogit;
    event.logprob = logit - row.logSumExp;
    if (params.topLogprobs > 0) event.top = topLogprobs(row, params.topLogprobs);
  }
  if (params.routedExperts && index > 0) event.experts = littleEndian(rowExperts);
  return { case: "token", value: event };
}
