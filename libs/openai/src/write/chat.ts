import { at } from "@drover/core";
import { type Static, Type } from "typebox";
import type { ReplyOptions } from "../request/generation-query.ts";
import type { FinishReason } from "../text/output.ts";
import type { Answer, ChoiceAnswer } from "./answer.ts";
import { ChatLogprobs, chatLogprobs } from "./logprobs.ts";
import { chained, type Written } from "./long-list.ts";
import { promptLogprobs, promptLogprobsField } from "./prompt-logprobs.ts";
import { frameFields, promptTokenCount, type ReplyFrame } from "./reply-frame.ts";
import { promptIdsField, routedExpertsField, tokenIdsField } from "./token-facts.ts";
import { Usage, usage } from "./usage.ts";

/** A call of an answer, whole. */
const AnsweredFunction = Type.Object({
  name: Type.String(),
  arguments: Type.String({ description: "A JSON object, as text." }),
});

const AnsweredToolCall = Type.Object({
  id: Type.String(),
  type: Type.Literal("function"),
  function: AnsweredFunction,
});

export const chatFinishReason = Type.Enum(["stop", "length", "tool_calls", "function_call"], {
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
        function_call: Type.Optional(AnsweredFunction),
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
      message: message(choice, options),
      logprobs:
        request.sampling.topLogprobs < 0
          ? null
          : chatLogprobs(choice.logprobs.slice(0, choice.shownCount), model.tokenizer),
      finish_reason: chatFinish(choice.finish, options),
      ...(options.returnTokenIds && { token_ids: choice.tokenIds }),
      ...(request.sampling.routedExperts && { routed_experts: chained(promptExperts, choice.experts) }),
    })),
    usage: usage(promptTokenCount(frame), answer.completionTokenCount, answer.cachedTokenCount),
    ...(options.returnTokenIds && { prompt_token_ids: Array.from(request.promptTokenIds) }),
    ...promptLogprobs(frame, logprobs),
  };
}

/** Why a choice ended, in the words of who asked. */
export function chatFinish(reason: FinishReason, { olderCalls }: ReplyOptions): Static<typeof chatFinishReason> {
  return reason === "tool_calls" && olderCalls === true ? "function_call" : reason;
}

function message(
  { text, toolCalls }: ChoiceAnswer,
  { olderCalls }: ReplyOptions,
): ChatCompletion["choices"][number]["message"] {
  const [first] = toolCalls;
  if (first === undefined) return { role: "assistant", content: text, refusal: null };
  const said = { role: "assistant" as const, content: text === "" ? null : text, refusal: null };
  if (olderCalls === true) return { ...said, function_call: { name: first.name, arguments: first.arguments } };
  const calls = toolCalls.map(({ id, name, arguments: written }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: written },
  }));
  return { ...said, tool_calls: calls };
}
