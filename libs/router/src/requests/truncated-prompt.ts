import { DroverError } from "@drover/core";
import type { GenerationQuery, PreparedPrompt } from "@drover/openai";
import type { Tokenizer } from "@drover/tokenizer";
import { tokenText } from "./token-text.ts";

/** The prompt's end that its request asks to have read alone, with its echo. Errors: `invalid_argument` for a prompt with images. */
export async function truncatedPrompt(
  { promptTokensKept: kept, budget }: GenerationQuery,
  prompt: PreparedPrompt,
  contextTokensMax: number,
  tokenizer: Tokenizer,
): Promise<PreparedPrompt> {
  if (kept === undefined) return prompt;
  const count = kept === "fit" ? Math.max(1, contextTokensMax - (budget.asked ?? 1)) : kept;
  if (prompt.tokenIds.length <= count) return prompt;
  if (prompt.images.length > 0)
    throw new DroverError("invalid_argument", "cannot cut a prompt with images", { field: "truncate_prompt_tokens" });
  const tokenIds = prompt.tokenIds.slice(-count);
  return {
    ...prompt,
    tokenIds,
    echoText: prompt.echoText === undefined ? undefined : await tokenText(tokenizer, tokenIds),
  };
}
