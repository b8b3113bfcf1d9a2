import { type Static, Type } from "typebox";
import type { Answer } from "./answer.ts";
import { CompletionLogprobs, completionLogprobs, promptTextOffsets } from "./logprobs.ts";
import { frameFields, type ReplyFrame } from "./reply-frame.ts";
import { promptIdsField, routedExpertsField, tokenIdsField } from "./token-facts.ts";
import { Usage, usage } from "./usage.ts";

/** `object` of a completion and of its chunks. */
export const COMPLETION_OBJECT = "text_completion";

const finishReason = Type.Enum(["stop", "length", "tool_calls"]);

const choiceFields = {
  index: Type.Integer(),
  text: Type.String({ description: "Complete characters only; with `echo` the prompt comes first." }),
  logprobs: Type.Union([CompletionLogprobs, Type.Null()]),
  ...tokenIdsField,
  ...promptIdsField,
  ...routedExpertsField,
};

/** The answer of `POST /v1/completions`. */
export const Completion = Type.Object({
  ...frameFields,
  object: Type.Literal(COMPLETION_OBJECT),
  choices: Type.Array(Type.Object({ ...choiceFields, finish_reason: finishReason })),
  usage: Usage,
  ...promptIdsField,
});
export type Completion = Static<typeof Completion>;

const ChunkChoice = Type.Object({ ...choiceFields, finish_reason: Type.Union([finishReason, Type.Null()]) });
export type CompletionChunkChoice = Static<typeof ChunkChoice>;

/** The data of one event of a streamed completion. */
export const CompletionChunk = Type.Object({
  ...frameFields,
  object: Type.Literal(COMPLETION_OBJECT),
  choices: Type.Array(ChunkChoice, { description: "One; none in the last chunk, which has the usage." }),
  usage: Type.Optional(
    Type.Union([Usage, Type.Null()], {
      description: "With `stream_options.include_usage`: null but in the last chunk.",
    }),
  ),
});

/** The body of a completion that is not streamed. */
export function completion({ id, created, model, request, options }: ReplyFrame, answer: Answer): Completion {
  const { topLogprobs, routedExperts } = request.sampling;
  const echo = request.echoText ?? "";
  const wantsPrompt = request.echoText !== undefined && topLogprobs >= 0;
  const promptOffsets = wantsPrompt ? promptTextOffsets(request.promptTokenIds, model.tokenizer) : [];
  const promptIds = options.returnTokenIds && { prompt_token_ids: Array.from(request.promptTokenIds) };
  return {
    id,
    object: COMPLETION_OBJECT,
    created,
    model: model.modelId,
    choices: answer.choices.map((choice, index) => ({
      index,
      text: echo + choice.text,
      logprobs:
        topLogprobs < 0
          ? null
          : completionLogprobs(
              [...answer.promptLogprobs, ...choice.logprobs],
              [...promptOffsets, ...choice.textOffsets.map((offset) => offset + echo.length)],
              topLogprobs,
              model.tokenizer,
            ),
      finish_reason: choice.finish,
      ...(options.returnTokenIds && { token_ids: choice.tokenIds }),
      ...promptIds,
      ...(routedExperts && { routed_experts: [...answer.promptExperts, ...choice.experts] }),
    })),
    usage: usage(request.promptTokenIds.length, answer.completionTokenCount, answer.cachedTokenCount),
    ...promptIds,
  };
}
