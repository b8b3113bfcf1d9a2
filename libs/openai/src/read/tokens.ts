import { Type } from "typebox";
import type { PromptQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { parserOf } from "../schema/check.ts";
import { checkTokenIds, optional, tokenIdList } from "../schema/fields.ts";
import { chatPromptFields, endFields, readChatPrompt } from "./chat.ts";
import { promptFields, readPrompt } from "./prompt.ts";
import { checkNamedModel, modelField } from "./served-model.ts";

const tokenizeFields = {
  model: optional(modelField),
  return_token_strs: optional(Type.Boolean({ description: "Gives each token as text too.", default: false })),
};

const TokenizeTextBody = Type.Object({ ...tokenizeFields, ...promptFields });

const TokenizeChatBody = Type.Object({
  ...tokenizeFields,
  ...chatPromptFields,
  tool_choice: Type.Optional(Type.Unknown({ description: "With `none` the template is told of no tool." })),
  ...endFields,
});

/** The body of `POST /tokenize`, in vLLM's shape: `prompt`, or `messages`. */
export const TokenizeBody = Type.Union([TokenizeTextBody, TokenizeChatBody]);

/** A prompt that is only to be tokenized. */
export type TokenizeQuery = Readonly<{ prompt: PromptQuery; returnTokenTexts: boolean }>;

const parseText = parserOf(TokenizeTextBody);
const parseChat = parserOf(TokenizeChatBody);
const parseEither = parserOf(Type.Object({ messages: Type.Optional(Type.Unknown()) }));

/** Reads what is to be tokenized; its length is not limited by the context. Errors: those of `readChat` and `readCompletion`. */
export function readTokenize(value: unknown, served: ModelFacts): TokenizeQuery {
  const facts = { ...served, contextTokensMax: Number.POSITIVE_INFINITY };
  checkNamedModel(value, facts);
  const { messages } = parseEither(value);
  if (messages === undefined || messages === null) {
    const body = parseText(value);
    return { prompt: readPrompt(body, facts), returnTokenTexts: body.return_token_strs ?? false };
  }
  const body = parseChat(value);
  return {
    prompt: readChatPrompt(body, facts, body),
    returnTokenTexts: body.return_token_strs ?? false,
  };
}

/** The body of `POST /detokenize`, in vLLM's shape. */
export const DetokenizeBody = Type.Object({
  model: optional(modelField),
  tokens: tokenIdList("Token ids of the model's vocabulary."),
});

const parseDetokenize = parserOf(DetokenizeBody);

/** The ids that are to become text. Errors: `invalid_argument` or `model_not_found`, naming the field. */
export function readDetokenize(value: unknown, facts: ModelFacts): readonly number[] {
  checkNamedModel(value, facts);
  const { tokens } = parseDetokenize(value);
  checkTokenIds("tokens", tokens, facts.vocabSize);
  return tokens;
}
