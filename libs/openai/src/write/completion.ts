import { at } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";
import { type Static, Type } from "typebox";
import type { InferenceRequest } from "../request/inference-request.ts";
import { codePointCount } from "../text/token-places.ts";
import type { Answer, ChoiceAnswer, PromptAnswer } from "./answer.ts";
import { CompletionLogprobs, completionLogprobs, promptTextOffsets } from "./logprobs.ts";
import { chained, type Written } from "./long-list.ts";
import { obfuscationField } from "./obfuscation.ts";
import { promptLogprobs, promptLogprobsField } from "./prompt-logprobs.ts";
import { frameFields, promptTokenCount, type ReplyFrame } from "./reply-frame.ts";
import { promptIdsField, routedExpertsField, tokenIdsField } from "./token-facts.ts";
import { chunkUsage, Usage, usage } from "./usage.ts";

/** `object` of a completion and of its chunks. */
export const COMPLETION_OBJECT = "text_completion";

const finishReason = Type.Enum(["stop", "length", "tool_calls"]);

const choiceFields = {
  index: Type.Integer(),
  text: Type.String({ description: "Complete characters only; with `echo` the prompt comes first." }),
  logprobs: Type.Union([CompletionLogprobs, Type.Null()]),
  ...tokenIdsField,
  ...promptIdsField,
  ...promptLogprobsField,
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
export type CompletionChunkChoice = Written<Static<typeof ChunkChoice>>;

/** The data of one event of a streamed completion. */
export const CompletionChunk = Type.Object({
  ...frameFields,
  object: Type.Literal(COMPLETION_OBJECT),
  choices: Type.Array(ChunkChoice, { description: "One; none in the last chunk, which has the usage." }),
  usage: chunkUsage,
  ...obfuscationField,
});

/** The body of a completion that is not streamed. */
export function completion(frame: ReplyFrame, answer: Answer): Written<Completion> {
  const { id, created, model, request, requests, options } = frame;
  const promptOf = (choice: number) => Math.floor(choice / request.sampling.n);
  const idsOf = ({ promptTokenIds }: InferenceRequest) =>
    options.returnTokenIds && { prompt_token_ids: Array.from(promptTokenIds) };
  return {
    id,
    object: COMPLETION_OBJECT,
    created,
    model: model.modelId,
    choices: answer.choices.map((choice, index) => {
      const asked = at(requests, promptOf(index));
      const prompt = at(answer.prompts, promptOf(index));
      return {
        index,
        text: (asked.echoText ?? "") + choice.text,
        logprobs: logprobsOf(choice, prompt, asked, model.tokenizer),
        finish_reason: choice.finish,
        ...(options.returnTokenIds && { token_ids: choice.tokenIds }),
        ...idsOf(asked),
        ...promptLogprobs(frame, prompt.logprobs),
        ...(request.sampling.routedExperts && { routed_experts: chained(prompt.experts, choice.experts) }),
      };
    }),
    usage: usage(promptTokenCount(frame), answer.completionTokenCount, answer.cachedTokenCount),
    ...(requests.length === 1 && idsOf(request)),
  };
}

/** An entry for every token, the one that ended the choice too: evaluations count on as many as were generated. With `echo` the prompt's come first. */
function logprobsOf(
  choice: ChoiceAnswer,
  prompt: PromptAnswer,
  { sampling, echoText, promptTokenIds }: InferenceRequest,
  tokenizer: Tokenizer,
): Written<Completion["choices"][number]["logprobs"]> {
  if (sampling.topLogprobs < 0) return null;
  const promptOffsets = echoText === undefined ? [] : promptTextOffsets(promptTokenIds, tokenizer);
  const echoLength = codePointCount(echoText ?? "");
  const textOffsets = choice.textOffsets.map((offset) => echoLength + offset);
  return completionLogprobs(
    chained(echoText === undefined ? [] : prompt.logprobs, choice.logprobs),
    chained<number>(promptOffsets, textOffsets),
    sampling.topLogprobs,
    tokenizer,
  );
}
