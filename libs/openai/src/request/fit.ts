import { DroverError } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";
import { badWordTokens } from "./bad-words.ts";
import { answerTooLong, promptTooLong } from "./context-overflow.ts";
import type { GenerationQuery, TokenBudget } from "./generation-query.ts";
import type { InferenceRequest, PreparedPrompt } from "./inference-request.ts";

export type Fitting = Readonly<{
  /** Tokens that prompt and output may have together. */
  contextTokensMax: number;
  /** For the client that gives no seed. */
  drawnSeed: number;
  tokenizer: Pick<Tokenizer, "encode">;
}>;

/** The request that a query becomes once its prompt is tokenized. Errors: `context_length_exceeded` naming the prompt or the count that was asked for. */
export function fit(query: GenerationQuery, prompt: PreparedPrompt, fitting: Fitting): InferenceRequest {
  const { budget, stop, toolCalls, constraint, shown } = query;
  const { badWords, ...sampling } = query.sampling;
  const maxTokens = fittingTokens(budget, prompt.tokenIds.length, query.prompt.field, fitting.contextTokensMax);
  return {
    promptTokenIds: prompt.tokenIds,
    images: prompt.images,
    echoText: prompt.echoText,
    stop,
    toolCalls,
    constraint,
    shown,
    sampling: {
      ...sampling,
      bannedSequences: badWordTokens(badWords, fitting.tokenizer),
      seed: sampling.seed ?? fitting.drawnSeed,
      maxTokens,
    },
  };
}

/** A prompt that leaves no room for the first token that is asked for is refused; `asked` 0 asks for none. */
export function checkPromptFits(
  field: string,
  tokenCount: number,
  asked: number | undefined,
  contextTokensMax: number,
): void {
  if (contextTokensMax - tokenCount >= Math.min(asked ?? 1, 1)) return;
  throw new DroverError("context_length_exceeded", promptTooLong(tokenCount, contextTokensMax), { field });
}

/** How many tokens may be generated. */
function fittingTokens(
  { asked, field, unasked }: TokenBudget,
  promptTokenCount: number,
  promptField: string,
  contextTokensMax: number,
): number {
  checkPromptFits(promptField, promptTokenCount, asked, contextTokensMax);
  const room = contextTokensMax - promptTokenCount;
  if (asked === undefined) return Math.min(unasked, room);
  if (asked <= room) return asked;
  throw new DroverError("context_length_exceeded", answerTooLong(promptTokenCount, asked, contextTokensMax), { field });
}
