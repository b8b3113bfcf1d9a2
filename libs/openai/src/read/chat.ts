import type { ChatInput } from "@drover/chat";
import { type Static, Type } from "typebox";
import { TOP_LOGPROBS_MAX } from "../limits.ts";
import type { ChatPrompt, GenerationQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError, parserOf } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { answerConstraint, possibleConstraint } from "./answer-constraint.ts";
import { readConstraint } from "./constraint.ts";
import { functionFields, readCalls } from "./functions.ts";
import { checkMinTokens, generationFields, unservedIn } from "./generation-fields.ts";
import { checkReadsImages } from "./images.ts";
import { Messages, readMessages } from "./messages.ts";
import { readPromptTokensKept, readReplyOptions, readShown, readStop } from "./reply-options.ts";
import { readSampling } from "./sampling.ts";
import { checkModel } from "./served-model.ts";
import { checkToolChoice, mustCall, readToolCallRules, readTools, type ToolBody, toolFields } from "./tools.ts";

/** A conversation, and what its template is given besides. */
export const chatPromptFields = {
  messages: Messages,
  ...toolFields,
  chat_template_kwargs: optional(
    Type.Record(Type.String(), Type.Unknown(), { description: "Variables for the checkpoint's own template." }),
  ),
};

/** How the prompt ends. */
export const endFields = {
  add_generation_prompt: optional(
    Type.Boolean({ description: "Ends with the head of the answer that is to come.", default: true }),
  ),
  continue_final_message: optional(
    Type.Boolean({
      description:
        "The answer goes on with the last message, whose end is left open; with `add_generation_prompt` false.",
      default: false,
    }),
  ),
};

/** The body of `POST /v1/chat/completions`. */
export const ChatBody = Type.Object({
  ...chatPromptFields,
  ...functionFields,
  ...generationFields,
  parallel_tool_calls: optional(
    Type.Boolean({ description: "When false, an answer has at most one call.", default: true }),
  ),
  ...endFields,
  max_completion_tokens: optional(
    Type.Integer({
      minimum: 0,
      description:
        "Tokens of each choice; as many as fit, or the checkpoint's own, when absent. As with OpenAI, -1 is no way to say so.",
    }),
  ),
  max_tokens: optional(Type.Integer({ minimum: 0, description: "The older name of `max_completion_tokens`." })),
  logprobs: optional(Type.Boolean({ description: "Gives each token's log-probability.", default: false })),
  top_logprobs: optional(
    Type.Integer({
      minimum: 0,
      maximum: TOP_LOGPROBS_MAX,
      description: "So many of the likeliest tokens beside each one; above 0 it needs `logprobs`.",
      default: 0,
    }),
  ),
});
export type ChatBody = Static<typeof ChatBody>;

const parseChat = parserOf(ChatBody);
const refuseUnserved = unservedIn(ChatBody);

/** Reads a chat completion's body. Errors: `invalid_argument` or `model_not_found`, naming the field. */
export function readChat(value: unknown, facts: ModelFacts): GenerationQuery {
  checkModel(value, facts);
  const body = parseChat(value);
  refuseUnserved(body);
  const { calls, parallel, isOlder } = readCalls(body);
  checkToolChoice(calls);
  if (body.logprobs !== true && (body.top_logprobs ?? 0) > 0)
    throw fieldError("top_logprobs", "needs logprobs to be true");
  const field = typeof body.max_completion_tokens === "number" ? "max_completion_tokens" : "max_tokens";
  const asked = body[field] ?? undefined;
  checkMinTokens(body, field, asked);
  return {
    prompt: readChatPrompt(body, facts, calls),
    sampling: readSampling(body, facts, {
      topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : -1,
      promptTopLogprobs: body.prompt_logprobs ?? -1,
    }),
    budget: { asked, field, unasked: facts.defaults.maxNewTokens ?? Number.POSITIVE_INFINITY },
    stop: readStop(body),
    toolCalls: readToolCallRules(calls, parallel),
    constraint: possibleConstraint(
      answerConstraint(mustCall(calls) ? undefined : readConstraint(body), calls, parallel, facts),
      body,
    ),
    echo: false,
    shown: readShown(body),
    promptTokensKept: readPromptTokensKept(body),
    reply: { ...readReplyOptions(body), ...(isOlder && { olderCalls: true }) },
  };
}

type ChatPromptBody = Pick<ChatBody, "messages" | "chat_template_kwargs" | keyof typeof endFields>;

/** What the template is given. `calls`: what may be called. Errors: `invalid_argument` naming the field, also for images of a model that reads none. */
export function readChatPrompt(body: ChatPromptBody, facts: ModelFacts, calls: ToolBody): ChatPrompt {
  const isContinued = body.continue_final_message === true;
  // vLLM's default with a message to go on with would be refused: who asks for one means no new head.
  const addGenerationPrompt = body.add_generation_prompt ?? !isContinued;
  if (isContinued && addGenerationPrompt)
    throw fieldError("continue_final_message", "is only allowed with add_generation_prompt false");
  const { messages, images } = readMessages(body.messages);
  checkReadsImages(images, facts);
  const tools = readTools(calls);
  const input: ChatInput = {
    messages,
    addGenerationPrompt,
    ...(isContinued && { continueFinalMessage: true }),
    ...(tools !== undefined && { tools }),
    ...(body.chat_template_kwargs && { variables: withoutNulls(body.chat_template_kwargs) }),
  };
  return { kind: "chat", field: "messages", input, images };
}

const withoutNulls = (variables: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value ?? undefined]));
