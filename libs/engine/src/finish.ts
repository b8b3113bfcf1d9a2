import type { FinishReason } from "@drover/core";
import type { Choice } from "./choice.ts";

/** Why this token, the choice's next, is also its last; undefined where the choice goes on. */
export function finishOf(choice: Choice, tokenId: number): FinishReason | undefined {
  const { stopTokenIds, minTokens, maxTokens } = choice.request.task.params;
  if (stopTokenIds.includes(tokenId) && choice.nextIndex >= minTokens) return "stop";
  return choice.nextIndex + 1 >= maxTokens ? "length" : undefined;
}
