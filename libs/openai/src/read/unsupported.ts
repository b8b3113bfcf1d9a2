import { fieldError } from "../schema/check.ts";

/** Whether a value changes nothing, in a body that may say the same by a field that is served. */
type Neutral = (value: unknown, body: Readonly<Record<string, unknown>>) => boolean;

const never: Neutral = () => false;
const isFalse: Neutral = (value) => value === false;
const isTrue: Neutral = (value) => value === true;
const isEmptyText: Neutral = (value) => value === "";
const isEmptyList: Neutral = (value) => Array.isArray(value) && value.length === 0;
/** Front ends send all the fields that they know, with nothing in most of them. */
const isEmpty: Neutral = (value) =>
  isEmptyText(value, {}) || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
/** An object whose fields are all absent. */
const saysNothing: Neutral = (value) =>
  typeof value === "object" && value !== null && Object.values(value).every((one) => one === null);

/** What a client says by its server's name for a field, and by ours too. */
const isSaidBy =
  (names: readonly string[], also: Neutral): Neutral =>
  (value, body) =>
    also(value, body) || names.some((name) => JSON.stringify(body[name] ?? null) === JSON.stringify(value));

const isUnlimited = isSaidBy(["max_tokens", "max_completion_tokens"], (value) => value === -1);
const isUnbounded = isSaidBy(["min_tokens"], (value) => value === 0 || value === -1);
const isStop = isSaidBy(["stop"], isEmptyList);

/**
 * Fields of other interfaces that change the form of an answer, what it may hold or what it is made from, and are not served; each with the values
 * that change nothing and are therefore let through. Fields that only shape how likely tokens are drawn are not among them.
 */
const UNSUPPORTED: Readonly<Record<string, Neutral>> = {
  // OpenAI's.
  audio: never,
  function_call: (value) => value === "none",
  functions: isEmptyList,
  modalities: (value) => Array.isArray(value) && value.every((entry) => entry === "text"),
  suffix: isEmptyText,
  web_search_options: never,
  // vLLM's.
  chat_template: never,
  documents: isEmptyList,
  guided_decoding_backend: (value) => value === "auto" || value === "xgrammar",
  guided_whitespace_pattern: never,
  kv_transfer_params: never,
  length_penalty: (value) => value === 1,
  logits_processors: isEmptyList,
  mm_processor_kwargs: never,
  prompt_embeds: never,
  return_tokens_as_token_ids: isFalse,
  structural_tag: never,
  use_beam_search: isFalse,
  vllm_xargs: isEmpty,
  // llama.cpp's, and its relatives'.
  banned_strings: isEmpty,
  banned_tokens: isEmpty,
  custom_token_bans: isEmpty,
  grammar_lazy: isFalse,
  grammar_string: isEmptyText,
  grammar_triggers: isEmptyList,
  lora: isEmptyList,
  n_predict: isUnlimited,
  regex_pattern: isEmptyText,
  // Ollama's.
  format: isEmptyText,
  // SGLang's.
  custom_logit_processor: isEmpty,
  lora_path: isEmpty,
  no_stop_trim: isFalse,
  return_hidden_states: isFalse,
  sampling_params: isEmpty,
  session_params: isEmpty,
  stop_regex: isEmpty,
  // TGI's, and transformers'.
  adapter_id: isEmpty,
  bad_words_ids: isEmptyList,
  force_words_ids: isEmptyList,
  forced_bos_token_id: never,
  forced_eos_token_id: never,
  guideline: isEmptyText,
  max_length: isUnlimited,
  max_new_tokens: isUnlimited,
  min_length: isUnbounded,
  min_new_tokens: isUnbounded,
  no_repeat_ngram_size: (value) => value === 0 || value === -1,
  return_full_text: isFalse,
  sequence_bias: isEmpty,
  stop_sequences: isStop,
  suppress_tokens: isEmptyList,
  tool_prompt: isEmptyText,
  truncate: isFalse,
  watermark: isFalse,
  // TensorRT-LLM's, Triton's and NIM's.
  bad: isEmpty,
  bad_token_ids: isEmptyList,
  beam_width: (value) => value === 1,
  detokenize: isTrue,
  disaggregated_params: isEmpty,
  embedding_bias: isEmpty,
  embedding_bias_words: isEmptyList,
  guided_decoding: isEmpty,
  guided_decoding_guide: isEmpty,
  guided_decoding_guide_type: isEmpty,
  lora_request: isEmpty,
  nvext: saysNothing,
  repetition_ngram_size: (value) => value === 0,
  return_context_logits: isFalse,
  return_generation_logits: isFalse,
  stop_words: isStop,
};

/** The fields that `refuseUnsupported` knows. */
export const UNSUPPORTED_FIELDS: readonly string[] = Object.keys(UNSUPPORTED);

/** Fields that ask only for speed, price, effort or keeping: they change no answer's form, and are taken without effect whatever they say. */
export const HINT_FIELDS = [
  "metadata",
  "prediction",
  "priority",
  "prompt_cache_key",
  "prompt_cache_retention",
  "reasoning_effort",
  "safety_identifier",
  "service_tier",
  "store",
  "user",
  "verbosity",
] as const;

/** Refuses, by name, a known field that asks for what is not served. Hints and fields that nobody knows are ignored. Errors: `invalid_argument`. */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined || !Object.hasOwn(UNSUPPORTED, name)) continue;
    if (UNSUPPORTED[name]?.(value, body) !== true) throw fieldError(name, "is not supported");
  }
}
