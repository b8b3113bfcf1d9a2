import { type Static, Type } from "typebox";
import { checkPromptFits } from "../request/fit.ts";
import type { PromptQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError } from "../schema/check.ts";
import { checkTokenIds, optional, tokenIdList } from "../schema/fields.ts";
import { SAYS, SENTENCES } from "../schema/sentences.ts";

/** A prompt without a template. */
export const promptFields = {
  prompt: Type.Union([Type.String(), tokenIdList("Token ids, taken as they are.")], {
    description: "Text, or token ids.",
    [SAYS]: "must be a string or a list of token ids",
  }),
  add_special_tokens: optional(
    Type.Boolean({ description: "Text begins with the model's begin token.", default: true }),
  ),
};

const PromptBody = Type.Object(promptFields);

/** Errors: `invalid_argument`, or `context_length_exceeded` for more token ids than the context holds. */
export function readPrompt(
  { prompt, add_special_tokens: addSpecialTokens }: Static<typeof PromptBody>,
  { vocabSize, contextTokensMax, defaults }: ModelFacts,
): PromptQuery {
  if (typeof prompt === "string")
    return {
      kind: "text",
      field: "prompt",
      text: prompt,
      first: addSpecialTokens === false ? undefined : defaults.bosTokenId,
    };
  if (prompt.length === 0) throw fieldError("prompt", SENTENCES.empty);
  const entries: readonly unknown[] = prompt;
  if (entries.every((entry) => typeof entry === "string" || Array.isArray(entry)))
    throw fieldError("prompt", "may hold only one prompt: a string or a list of token ids");
  // Counted before the ids are looked at, so that a prompt far too long says so.
  checkPromptFits("prompt", prompt.length, 0, contextTokensMax);
  checkTokenIds("prompt", prompt, vocabSize);
  return { kind: "tokens", field: "prompt", ids: Uint32Array.from(prompt) };
}
