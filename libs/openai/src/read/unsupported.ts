import { fieldError } from "../schema/check.ts";

const never = () => false;
const isFalse = (value: unknown) => value === false;
const isTrue = (value: unknown) => value === true;
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;

/** Fields of OpenAI's and vLLM's interfaces that are not served, each with the values that change nothing and are therefore let through. */
const UNSUPPORTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  allowed_token_ids: isEmptyList,
  audio: never,
  bad_words: isEmptyList,
  chat_template: never,
  continue_final_message: isFalse,
  documents: isEmptyList,
  add_generation_prompt: isTrue,
  function_call: (value) => value === "none",
  functions: isEmptyList,
  guided_choice: never,
  guided_decoding_backend: never,
  guided_grammar: never,
  guided_json: never,
  guided_regex: never,
  include_stop_str_in_output: isFalse,
  kv_transfer_params: never,
  length_penalty: (value) => value === 1,
  logits_processors: isEmptyList,
  modalities: (value) => Array.isArray(value) && value.every((entry) => entry === "text"),
  mm_processor_kwargs: never,
  prediction: never,
  priority: (value) => value === 0,
  prompt_embeds: never,
  prompt_logprobs: never,
  reasoning_effort: (value) => value === "none",
  response_format: (value) => typeof value === "object" && value !== null && "type" in value && value.type === "text",
  service_tier: (value) => value === "auto" || value === "default",
  skip_special_tokens: isTrue,
  spaces_between_special_tokens: (value) => typeof value === "boolean",
  store: isFalse,
  structural_tag: never,
  structured_outputs: never,
  suffix: (value) => value === "",
  truncate_prompt_tokens: never,
  use_beam_search: isFalse,
  verbosity: (value) => value === "medium",
  web_search_options: never,
};

/** The fields that `refuseUnsupported` knows. */
export const UNSUPPORTED_FIELDS: readonly string[] = Object.keys(UNSUPPORTED);

/** Refuses, by name, a known field that asks for what is not served. Fields that nobody knows are ignored. Errors: `invalid_argument`. */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined || !Object.hasOwn(UNSUPPORTED, name)) continue;
    if (UNSUPPORTED[name]?.(value) !== true) throw fieldError(name, "is not supported");
  }
}
