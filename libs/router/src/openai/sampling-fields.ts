import { DroverError, type SamplingParams } from "@drover/core";
import {
  CHOICES_MAX,
  LOGIT_BIAS_ENTRIES_MAX,
  STOP_STRING_LENGTH_MAX,
  STOP_STRINGS_MAX,
  STOP_TOKEN_IDS_MAX,
} from "../limits.ts";
import type { ServedModel } from "../served-model.ts";
import type { Fields } from "./fields.ts";

const SEED_MODULUS = 2n ** 53n;

export type SamplingFields = Omit<SamplingParams, "maxTokens" | "topLogprobs" | "promptTopLogprobs">;

/** The fields that chat and completions share. `drawnSeed` serves where the client gave none. Errors: `invalid_argument` naming the field. */
export function readSampling(body: Fields, model: ServedModel, drawnSeed: number): SamplingFields {
  const { generation, config } = model;
  const sampled = generation.doSample;
  const n = body.integer("n", { min: 1, max: CHOICES_MAX }) ?? 1;
  const topK = body.integer("top_k", { min: -1 }) ?? (sampled ? (generation.topK ?? 0) : 0);
  const ownStops = body.tokenIds("stop_token_ids", config.vocabSize, STOP_TOKEN_IDS_MAX) ?? [];
  const ignoreEos = body.boolean("ignore_eos") ?? false;
  return {
    n,
    temperature: body.number("temperature", { min: 0, max: 2 }) ?? (sampled ? (generation.temperature ?? 1) : 0),
    topP: body.number("top_p", { above: 0, max: 1 }) ?? (sampled ? (generation.topP ?? 1) : 1),
    topK: topK <= 0 || topK >= config.vocabSize ? 0 : topK,
    minP: body.number("min_p", { min: 0, max: 1 }) ?? 0,
    repetitionPenalty: body.number("repetition_penalty", { above: 0, max: 100 }) ?? 1,
    presencePenalty: body.number("presence_penalty", { min: -2, max: 2 }) ?? 0,
    frequencyPenalty: body.number("frequency_penalty", { min: -2, max: 2 }) ?? 0,
    logitBias: readLogitBias(body, config.vocabSize),
    seed: readSeed(body) ?? drawnSeed,
    minTokens: body.integer("min_tokens", { min: 0 }) ?? 0,
    stopTokenIds: [...new Set(ignoreEos ? ownStops : [...generation.eosTokenIds, ...ownStops])],
    routedExperts: body.boolean("return_routed_experts") ?? false,
  };
}

/** `stop`: a string or a list of them. */
export function readStop(body: Fields): readonly string[] {
  const raw = body.raw("stop");
  const stops = typeof raw === "string" ? [raw] : (body.list("stop", STOP_STRINGS_MAX) ?? []);
  return stops.map((stop) => {
    if (typeof stop !== "string" || stop === "")
      body.fail("stop", "must be a string that is not empty, or a list of them");
    if (stop.length > STOP_STRING_LENGTH_MAX)
      body.fail("stop", `may have at most ${STOP_STRING_LENGTH_MAX} characters each`);
    if (!stop.isWellFormed()) body.fail("stop", "must be valid Unicode text");
    return stop;
  });
}

/** `stream` and `stream_options.include_usage`. */
export function readStream(body: Fields): { stream: boolean; includeUsage: boolean } {
  const stream = body.boolean("stream") ?? false;
  const options = body.object("stream_options");
  const includeUsage = options?.boolean("include_usage") ?? false;
  if (options !== undefined && !stream) body.fail("stream_options", "is only allowed with stream");
  return { stream, includeUsage };
}

export type TokenBudget = Readonly<{
  /** What the client asked for, and under which name. */
  asked: number | undefined;
  askedField: string;
  /** Where it did not ask. */
  fallback: number;
  promptTokenCount: number;
  promptField: string;
  contextTokensMax: number;
}>;

/** How many tokens may be generated. Errors: `context_length_exceeded` naming the prompt or the asked count. */
export function fitTokens(budget: TokenBudget): number {
  const { asked, promptTokenCount, contextTokensMax } = budget;
  const room = contextTokensMax - promptTokenCount;
  const promptAlone = room < Math.min(asked ?? 1, 1);
  if (promptAlone || (asked !== undefined && asked > room)) {
    throw new DroverError(
      "context_length_exceeded",
      promptAlone
        ? `the prompt has ${promptTokenCount} tokens, and the context holds ${contextTokensMax}`
        : `${promptTokenCount} prompt tokens and ${asked} to generate are more than the ${contextTokensMax} tokens of the context`,
      { field: promptAlone ? budget.promptField : budget.askedField },
    );
  }
  return asked ?? Math.min(budget.fallback, room);
}

function readSeed(body: Fields): number | undefined {
  const seed = body.integer("seed");
  return seed === undefined ? undefined : Number(((BigInt(seed) % SEED_MODULUS) + SEED_MODULUS) % SEED_MODULUS);
}

function readLogitBias(body: Fields, vocabSize: number): SamplingParams["logitBias"] {
  const biases = body.object("logit_bias");
  if (biases === undefined) return [];
  const names = biases.names();
  if (names.length > LOGIT_BIAS_ENTRIES_MAX)
    body.fail("logit_bias", `may have at most ${LOGIT_BIAS_ENTRIES_MAX} entries`);
  return names.map((name) => {
    if (!/^\d{1,10}$/.test(name) || Number(name) >= vocabSize)
      body.fail("logit_bias", `must name token ids from 0 to ${vocabSize - 1}`);
    return [Number(name), biases.number(name, { min: -100, max: 100 }) ?? 0] as const;
  });
}
