import { at } from "@drover/core";
import { type Static, Type } from "typebox";
import type { Answer, ChoiceAnswer } from "./answer.ts";
import { ChatLogprobs, chatLogprobs } from "./logprobs.ts";
import { chained, type Written } from "./long-list.ts";
import { promptLogprobs, promptLogprobsField } from "./prompt-logprobs.ts";
import { frameFields, promptTokenCount, type ReplyFrame } from "./reply-frame.ts";
import { promptIdsField, routedExpertsField, tokenIdsField } from "./token-facts.ts";
import { Usage, usage } from "./usage.ts";

/** A call of an answer, whole. */
const AnsweredToolCall = Type.Object({
  id: Type.String(),
  type: Type.Literal("function"),
  function: Type.Object({
    name: Type.String(),
    arguments: Type.String({ description: "A JSON object, as text." }),
  }),
});

export const chatFinishReason = Type.Enum(["stop", "length", "tool_calls"], {
  description:
    "`stop`: the model ended, or a stop string or token came. `length`: `max_tokens` or the context is full.",
});

/** The answer of `POST /v1/chat/completions`. */
export const ChatCompletion = Type.Object({
  ...frameFields,
  object: Type.Literal("chat.completion"),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      message: Type.Object({
        role: Type.Literal("assistant"),
        content: Type.Union([Type.String(), Type.Null()], { description: "null where the answer is calls alone." }),
        refusal: Type.Null(),
        tool_calls: Type.Optional(Type.Array(AnsweredToolCall)),
      }),
      logprobs: Type.Union([ChatLogprobs, Type.Null()]),
      finish_reason: chatFinishReason,
      ...tokenIdsField,
      ...routedExpertsField,
    }),
  ),
  usage: Usage,
  ...promptIdsField,
  ...promptLogprobsField,
});
export type ChatCompletion = Static<typeof ChatCompletion>;

/** The body of a chat completion that is not streamed. */
export function chatCompletion(frame: ReplyFrame, answer: Answer): Written<ChatCompletion> {
  const { id, created, model, request, options } = frame;
  const { experts: promptExperts, logprobs } = at(answer.prompts, 0);
  return {
    id,
    object: "chat.completion",
    created,
    model: model.modelId,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: message(choice),
      logprobs:
        request.sampling.topLogprobs < 0
          ? null
          : chatLogprobs(choice.logprobs.slice(0, choice.shownCount), model.tokenizer),
      finish_reason: choice.finish,
      ...(options.returnTokenIds && { token_ids: choice.tokenIds }),
      ...(request.sampling.routedExperts && { routed_experts: chained(promptExperts, choice.experts) }),
    })),
    usage: usage(promptTokenCount(frame), answer.completionTokenCount, answer.cachedTokenCount),
    ...(options.returnTokenIds && { prompt_token_ids: Array.from(request.promptTokenIds) }),
    ...promptLogprobs(frame, logprobs),
  };
}

function message({ text, toolCalls }: ChoiceAnswer): ChatCompletion["choices"][number]["message"] {
  if (toolCalls.length === 0) return { role: "assistant", content: text, refusal: null };
  const calls = toolCalls.map(({ id, name, arguments: written }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: written },
  }));
  return { role: "assistant", content: text === "" ? null : text, refusal: null, tool_calls: calls };
}
