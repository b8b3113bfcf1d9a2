import { type Static, Type } from "typebox";
import { COMPLETION_TOKENS_DEFAULT, TOP_LOGPROBS_MAX } from "../limits.ts";
import type { GenerationQuery, PromptQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { parserOf } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { possibleConstraint } from "./answer-constraint.ts";
import { readConstraint } from "./constraint.ts";
import { checkMinTokens, generationFields, unservedIn } from "./generation-fields.ts";
import { promptFields, readPrompt, readPrompts } from "./prompt.ts";
import { readPromptTokensKept, readReplyOptions, readShown, readStop } from "./reply-options.ts";
import { readSampling } from "./sampling.ts";
import { checkModel } from "./served-model.ts";
import { checkToolChoice, toolFields } from "./tools.ts";

/** The body of `POST /v1/completions`. */
export const CompletionBody = Type.Object({
  ...promptFields,
  ...generationFields,
  tool_choice: toolFields.tool_choice,
  max_tokens: optional(
    Type.Integer({ minimum: 0, description: "Tokens of each choice.", default: COMPLETION_TOKENS_DEFAULT }),
  ),
  logprobs: optional(
    Type.Integer({
      minimum: 0,
      maximum: TOP_LOGPROBS_MAX,
      description: "Gives each token's log-probability, with so many of the likeliest; with `echo` the prompt's too.",
    }),
  ),
  echo: optional(Type.Boolean({ description: "The answer begins with the prompt.", default: false })),
});
export type CompletionBody = Static<typeof CompletionBody>;

const parseCompletion = parserOf(CompletionBody);
const refuseUnserved = unservedIn(CompletionBody);

/** Reads a completion's body of one prompt. Errors: `invalid_argument`, `model_not_found` or `context_length_exceeded`, naming the field. */
export function readCompletion(value: unknown, facts: ModelFacts): GenerationQuery {
  const body = readBody(value, facts);
  return queryOf(body, readPrompt(body, untruncated(body, facts)), facts);
}

/** Reads a completion's body of any number of prompts, a query for each in their order. Errors: those of `readCompletion`; more choices than one request may have. */
export function readCompletions(value: unknown, facts: ModelFacts): readonly GenerationQuery[] {
  const body = readBody(value, facts);
  return readPrompts(body, untruncated(body, facts), body.n ?? 1).map((prompt) => queryOf(body, prompt, facts));
}

/** Facts by which a prompt that is cut may be longer than the context. */
const untruncated = ({ truncate_prompt_tokens: kept }: CompletionBody, facts: ModelFacts): ModelFacts =>
  typeof kept === "number" ? { ...facts, contextTokensMax: Number.POSITIVE_INFINITY } : facts;

function readBody(value: unknown, facts: ModelFacts): CompletionBody {
  checkModel(value, facts);
  const body = parseCompletion(value);
  refuseUnserved(body);
  checkToolChoice(body);
  checkMinTokens(body, "max_tokens", body.max_tokens ?? COMPLETION_TOKENS_DEFAULT);
  return body;
}

function queryOf(body: CompletionBody, prompt: PromptQuery, facts: ModelFacts): GenerationQuery {
  const topLogprobs = body.logprobs ?? -1;
  const echo = body.echo ?? false;
  const promptTokensKept = readPromptTokensKept(body);
  return {
    prompt,
    sampling: readSampling(body, facts, {
      topLogprobs,
      promptTopLogprobs: Math.max(echo ? topLogprobs : -1, body.prompt_logprobs ?? -1),
    }),
    budget: { asked: body.max_tokens ?? undefined, field: "max_tokens", unasked: COMPLETION_TOKENS_DEFAULT },
    stop: readStop(body),
    toolCalls: undefined,
    constraint: possibleConstraint(readConstraint(body), body),
    echo,
    shown: readShown(body),
    promptTokensKept,
    reply: readReplyOptions(body),
  };
}
