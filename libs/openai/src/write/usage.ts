import { type Static, Type } from "typebox";

/** What a request took. */
export const Usage = Type.Object(
  {
    prompt_tokens: Type.Integer(),
    completion_tokens: Type.Integer({ description: "Of all choices." }),
    total_tokens: Type.Integer(),
    prompt_tokens_details: Type.Object({
      cached_tokens: Type.Integer({ description: "Of the prompt: what its worker had cached and did not compute." }),
    }),
  },
  { description: "What a request took." },
);

export function usage(promptTokens: number, completionTokens: number, cachedTokens: number): Static<typeof Usage> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
