import type { SamplingParams } from "@drover/core";
import { type Static, Type } from "typebox";
import {
  ALLOWED_TOKEN_IDS_MAX,
  BAD_WORD_LENGTH_MAX,
  BAD_WORDS_MAX,
  CHOICES_MAX,
  LOGIT_BIAS_ENTRIES_MAX,
  STOP_TOKEN_IDS_MAX,
} from "../limits.ts";
import type { SamplingQuery } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError } from "../schema/check.ts";
import { checkTokenIds, optional, tokenIdList } from "../schema/fields.ts";

const SEED_MODULUS = 2n ** 53n;
/** OpenAI's seeds have 64 bits, with a sign or without; those that a double cannot hold are the nearest that it can. */
const SEED_MAGNITUDE_MAX = 2 ** 64;

/** How tokens are chosen: the fields that all generating endpoints share. */
export const samplingFields = {
  n: optional(
    Type.Integer({
      minimum: 1,
      maximum: CHOICES_MAX,
      description: "Choices: independent answers to one prompt.",
      default: 1,
    }),
  ),
  temperature: optional(
    Type.Number({
      minimum: 0,
      maximum: 2,
      description: "0 takes the likeliest token. The checkpoint's own when absent.",
    }),
  ),
  top_p: optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description:
        "Keeps the likeliest tokens that together have this probability; 0 the likeliest alone. The checkpoint's own when absent.",
    }),
  ),
  top_k: optional(
    Type.Integer({
      minimum: -1,
      description: "Keeps so many of the likeliest tokens; 0 and -1 keep all. The checkpoint's own when absent.",
    }),
  ),
  min_p: optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: "Keeps tokens that are at least so likely, as a part of the likeliest one's probability.",
      default: 0,
    }),
  ),
  repetition_penalty: optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 100,
      description: "Divides positive and multiplies negative logits of tokens that are in the prompt or the answer.",
      default: 1,
    }),
  ),
  presence_penalty: optional(
    Type.Number({
      minimum: -2,
      maximum: 2,
      description: "Subtracted once from the logit of every token in the answer.",
      default: 0,
    }),
  ),
  frequency_penalty: optional(
    Type.Number({
      minimum: -2,
      maximum: 2,
      description: "Subtracted for each time that a token is in the answer.",
      default: 0,
    }),
  ),
  logit_bias: optional(
    Type.Record(Type.String(), Type.Union([Type.Number({ minimum: -100, maximum: 100 }), Type.Null()]), {
      description: `Added to the logits of these token ids, at most ${LOGIT_BIAS_ENTRIES_MAX}.`,
    }),
  ),
  seed: optional(
    Type.Integer({
      minimum: -SEED_MAGNITUDE_MAX,
      maximum: SEED_MAGNITUDE_MAX,
      description: "The same seed gives the same answer, whichever worker computes it. Drawn when absent.",
    }),
  ),
  min_tokens: optional(Type.Integer({ minimum: 0, description: "No end before so many tokens.", default: 0 })),
  stop_token_ids: optional(
    tokenIdList("Tokens that end a choice besides the model's own.", { maxItems: STOP_TOKEN_IDS_MAX }),
  ),
  ignore_eos: optional(Type.Boolean({ description: "Only `stop_token_ids` end a choice.", default: false })),
  bad_words: optional(
    Type.Array(Type.String({ minLength: 1, maxLength: BAD_WORD_LENGTH_MAX }), {
      maxItems: BAD_WORDS_MAX,
      description: "Texts that the answer does not have, as they are tokenized with and without a space before them.",
    }),
  ),
  allowed_token_ids: optional(
    tokenIdList("The only tokens that may be chosen; without any, every one.", { maxItems: ALLOWED_TOKEN_IDS_MAX }),
  ),
  return_routed_experts: optional(
    Type.Boolean({ description: "Reports the expert of each MoE layer for every token computed.", default: false }),
  ),
};

const SamplingBody = Type.Object(samplingFields);

/** Log-probabilities that are asked for, in the terms of `SamplingParams`; a field of their own in each endpoint. */
type AskedLogprobs = Pick<SamplingParams, "topLogprobs" | "promptTopLogprobs">;

/** Where the client is silent, the checkpoint's defaults hold. Errors: `invalid_argument` naming the field. */
export function readSampling(
  body: Static<typeof SamplingBody>,
  { vocabSize, defaults }: ModelFacts,
  logprobs: AskedLogprobs,
): SamplingQuery {
  const sampled = defaults.doSample;
  const topP = body.top_p ?? (sampled ? (defaults.topP ?? 1) : 1);
  const topK = body.top_k ?? (sampled ? (defaults.topK ?? 0) : 0);
  const ownStops = body.stop_token_ids ?? [];
  checkTokenIds("stop_token_ids", ownStops, vocabSize);
  const allowed = body.allowed_token_ids ?? [];
  checkTokenIds("allowed_token_ids", allowed, vocabSize);
  return {
    n: body.n ?? 1,
    // No share at all is the likeliest token's: what is greedy at temperature 0.
    temperature: topP === 0 ? 0 : (body.temperature ?? (sampled ? (defaults.temperature ?? 1) : 0)),
    topP: topP === 0 ? 1 : topP,
    topK: topK <= 0 || topK >= vocabSize ? 0 : topK,
    minP: body.min_p ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    logitBias: readLogitBias(body.logit_bias ?? {}, vocabSize),
    badWords: body.bad_words ?? [],
    allowedTokenIds: allowed,
    seed: body.seed === undefined || body.seed === null ? undefined : unsignedSeed(body.seed),
    minTokens: body.min_tokens ?? 0,
    stopTokenIds: [...new Set(body.ignore_eos === true ? ownStops : [...defaults.eosTokenIds, ...ownStops])],
    routedExperts: body.return_routed_experts ?? false,
    ...logprobs,
  };
}

function unsignedSeed(seed: number): number {
  return Number(((BigInt(seed) % SEED_MODULUS) + SEED_MODULUS) % SEED_MODULUS);
}

function readLogitBias(
  biases: Readonly<Record<string, number | null>>,
  vocabSize: number,
): SamplingParams["logitBias"] {
  const entries = Object.entries(biases);
  if (entries.length > LOGIT_BIAS_ENTRIES_MAX)
    throw fieldError("logit_bias", `may have at most ${LOGIT_BIAS_ENTRIES_MAX} entries`);
  return entries.map(([name, bias]) => {
    if (!/^\d{1,10}$/.test(name) || Number(name) >= vocabSize)
      throw fieldError("logit_bias", `must name token ids from 0 to ${vocabSize - 1}`);
    return [Number(name), bias ?? 0] as const;
  });
}
