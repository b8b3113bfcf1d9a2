import type { FinishReason, RowOutput } from "@drover/core";
import { sampleToken } from "@drover/sampling";
import type { Choice } from "./choice.ts";

/** A choice's next token from the outputs of its last row: drawn where a sampler was asked for, else the likeliest. */
export function nextToken(choice: Choice, row: RowOutput): number {
  if (row.full === undefined) return row.topIds[0] ?? 0;
  return sampleToken({
    logits: row.full,
    params: choice.request.task.params,
    history: choice.history,
    choice: choice.index,
    index: choice.nextIndex,
  });
}

/** Why this token, the choice's next, is also its last; undefined where the choice goes on. */
export function finishOf(choice: Choice, tokenId: number): FinishReason | undefined {
  const { stopTokenIds, minTokens, maxTokens } = choice.request.task.params;
  if (stopTokenIds.includes(tokenId) && choice.nextIndex >= minTokens) return "stop";
  return choice.nextIndex + 1 >= maxTokens ? "length" : undefined;
}
