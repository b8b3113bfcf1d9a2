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

const LIMITS = ["max_tokens", "max_completion_tokens", "max_output_tokens"] as const;
/** A limit of the answer that is none, or that another of these fields says too. */
const isUnlimitedBut = (own?: (typeof LIMITS)[number]) =>
  isSaidBy(
    LIMITS.filter((name) => name !== own),
    (value) => value === -1,
  );
const isUnlimited = isUnlimitedBut();
const isUnbounded = isSaidBy(["min_tokens"], (value) => value === 0 || value === -1);
const isStop = isSaidBy(["stop"], isEmptyList);
const isZero: Neutral = (value) => value === 0;
const isOne: Neutral = (value) => value === 1;
/** So many answers as `n` asks for. */
const isCount = isSaidBy(["n"], isOne);
/** A format of the answer that is none. */
const isFree: Neutral = (value) =>
  typeof value !== "object" || value === null || !("type" in value) || value.type === "text";
const hasFreeFormat: Neutral = (value) =>
  typeof value !== "object" || value === null || !("format" in value) || isFree(value.format, {});

/**
 * Fields of other interfaces that change the form of an answer, what it may hold or what it is made from, and are not served; each with the values
 * that change nothing and are therefore let through. Fields that only shape how likely tokens are drawn are not among them.
 */
const UNSUPPORTED: Readonly<Record<string, Neutral>> = {
  // OpenAI's.
  audio: never,
  modalities: (value) => Array.isArray(value) && value.every((entry) => entry === "text"),
  suffix: isEmptyText,
  web_search_options: never,
  // vLLM's.
  chat_template: never,
  documents: isEmptyList,
  ec_transfer_params: never,
  guided_decoding_backend: (value) => value === "auto" || value === "xgrammar",
  guided_whitespace_pattern: never,
  kv_transfer_params: never,
  length_penalty: isOne,
  logits_processors: isEmptyList,
  logprob_token_ids: isEmptyList,
  media_io_kwargs: isEmpty,
  mm_processor_kwargs: never,
  prompt_embeds: never,
  repetition_detection: never,
  return_prompt_text: isFalse,
  return_tokens_as_token_ids: isFalse,
  structural_tag: never,
  truncation_side: (value) => value === "left",
  use_beam_search: isFalse,
  vllm_xargs: isEmpty,
  // llama.cpp's, and its relatives'.
  banned_strings: isEmpty,
  banned_tokens: isEmpty,
  custom_token_bans: isEmpty,
  grammar_lazy: isFalse,
  grammar_string: isEmptyText,
  grammar_triggers: isEmptyList,
  image_data: isEmptyList,
  lora: isEmptyList,
  n_cmpl: isCount,
  n_indent: isZero,
  n_predict: isUnlimited,
  n_probs: isZero,
  parse_tool_calls: isTrue,
  regex_pattern: isEmptyText,
  response_fields: isEmptyList,
  return_tokens: isFalse,
  t_max_predict_ms: (value) => typeof value === "number" && value <= 0,
  // Ollama's.
  format: isEmptyText,
  num_predict: isUnlimited,
  options: isEmpty,
  // Anthropic's, and of those who sell others' models.
  context_length_exceeded_behavior: (value) => value === "error",
  max_tokens_to_sample: isUnlimited,
  mcp_servers: isEmptyList,
  prompt_truncate_len: never,
  response_schema: never,
  transforms: isEmptyList,
  // SGLang's.
  custom_logit_processor: isEmpty,
  input_embeds: isEmptyList,
  input_ids: isEmptyList,
  lora_path: isEmpty,
  no_stop_trim: isFalse,
  return_hidden_states: isFalse,
  return_logprob: isFalse,
  return_meta_info: isFalse,
  return_prompt_token_ids: isFalse,
  sampling_params: isEmpty,
  session_params: isEmpty,
  stop_regex: isEmpty,
  // FastChat's, LMDeploy's and text-generation-webui's.
  ban_eos_token: isFalse,
  custom_stopping_strings: isEmpty,
  json_mode: isFalse,
  stop_sequence: isStop,
  stop_str: isStop,
  stopping_strings: isStop,
  // Gemini's.
  response_json_schema: never,
  response_mime_type: (value) => value === "text/plain",
  // TGI's, and transformers'.
  adapter_id: isEmpty,
  bad_words_ids: isEmptyList,
  decoder_input_details: isFalse,
  eos_token_id: never,
  force_words_ids: isEmptyList,
  forced_bos_token_id: never,
  forced_eos_token_id: never,
  guideline: isEmptyText,
  max_length: isUnlimited,
  max_new_tokens: isUnlimited,
  min_length: isUnbounded,
  min_new_tokens: isUnbounded,
  no_repeat_ngram_size: (value) => value === 0 || value === -1,
  num_beams: isOne,
  num_return_sequences: isCount,
  parameters: isEmpty,
  return_full_text: isFalse,
  sequence_bias: isEmpty,
  suppress_tokens: isEmptyList,
  tool_prompt: isEmptyText,
  top_n_tokens: isZero,
  truncate: isFalse,
  watermark: isFalse,
  // TensorRT-LLM's, Triton's and NIM's.
  bad: isEmpty,
  bad_token_ids: isEmptyList,
  bad_words_list: isEmptyList,
  beam_width: isOne,
  detokenize: isTrue,
  disaggregated_params: isEmpty,
  embedding_bias: isEmpty,
  embedding_bias_words: isEmptyList,
  end_id: never,
  guided_decoding: isEmpty,
  guided_decoding_guide: isEmpty,
  guided_decoding_guide_type: isEmpty,
  lora_request: isEmpty,
  nvext: saysNothing,
  prompt_token_ids: isEmptyList,
  repetition_ngram_size: isZero,
  return_context_logits: isFalse,
  return_generation_logits: isFalse,
  stop_words: isStop,
  stop_words_list: isStop,
};

/**
 * Fields of the same kinds that one of Drover's endpoints serves: another one, whose body has no such field, does not let a client believe that it
 * was heard.
 */
const SERVED_ELSEWHERE: Readonly<Record<string, Neutral>> = {
  add_generation_prompt: isTrue,
  add_special_tokens: isFalse,
  allowed_token_ids: isEmptyList,
  bad_words: isEmptyList,
  best_of: isOne,
  continue_final_message: isFalse,
  ebnf: isEmptyText,
  echo: isFalse,
  grammar: isEmptyText,
  function_call: (value) => value === "none",
  functions: isEmptyList,
  guided_choice: isEmptyList,
  guided_grammar: isEmptyText,
  guided_json: isEmptyText,
  guided_regex: isEmptyText,
  ignore_eos: isFalse,
  include_stop_str_in_output: isFalse,
  instructions: isEmptyText,
  json_schema: isEmptyText,
  logit_bias: isEmpty,
  logprobs: isFalse,
  max_completion_tokens: isUnlimitedBut("max_completion_tokens"),
  max_output_tokens: isUnlimitedBut("max_output_tokens"),
  max_tokens: isUnlimitedBut("max_tokens"),
  min_tokens: isUnbounded,
  n: isOne,
  output_config: hasFreeFormat,
  output_format: isFree,
  parallel_tool_calls: isTrue,
  parse_special: isFalse,
  previous_response_id: isEmptyText,
  prompt_logprobs: never,
  regex: isEmptyText,
  response_format: isFree,
  return_routed_experts: isFalse,
  return_token_ids: isFalse,
  skip_special_tokens: isTrue,
  stop: isSaidBy(["stop_sequences"], isEmpty),
  stop_sequences: isStop,
  stop_token_ids: isEmptyList,
  structured_outputs: saysNothing,
  system: isEmpty,
  text: hasFreeFormat,
  tools: isEmptyList,
  top_logprobs: isZero,
  truncate_prompt_tokens: never,
};

/** The fields that no endpoint serves. */
export const UNSUPPORTED_FIELDS: readonly string[] = Object.keys(UNSUPPORTED);
/** The fields that some endpoints serve and the others refuse. */
export const SERVED_ELSEWHERE_FIELDS: readonly string[] = Object.keys(SERVED_ELSEWHERE);

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

/**
 * A check that refuses, by name, a known field that asks for what the endpoint of this body does not serve. Hints and fields that nobody knows are
 * ignored. Errors: `invalid_argument`.
 */
export function unsupportedIn({ properties }: Readonly<{ properties: object }>) {
  const elsewhere = Object.entries(SERVED_ELSEWHERE).filter(([name]) => !Object.hasOwn(properties, name));
  const refused = new Map([...Object.entries(UNSUPPORTED), ...elsewhere]);
  return (body: Readonly<Record<string, unknown>>): void => {
    for (const [name, value] of Object.entries(body)) {
      if (value === null || value === undefined) continue;
      if (refused.get(name)?.(value, body) === false) throw fieldError(name, "is not supported");
    }
  };
}
