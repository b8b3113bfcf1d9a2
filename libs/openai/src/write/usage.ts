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

/** What a choice took so far, as vLLM tells it in each chunk. */
const RunningUsage = Type.Object({
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
});

/** What a chunk tells of it. */
export const chunkUsage = Type.Optional(
  Type.Union([Usage, RunningUsage, Type.Null()], {
    description:
      "With `stream_options.include_usage`: null but in the last chunk. With `continuous_usage_stats` besides, in every chunk, of its choice so far, and without details.",
  }),
);

export function runningUsage(promptTokens: number, completionTokens: number): Static<typeof RunningUsage> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

export function usage(promptTokens: number, completionTokens: number, cachedTokens: number): Static<typeof Usage> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
