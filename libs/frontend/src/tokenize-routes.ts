import { requireModel, tokenizeChat } from "./chat-request.ts";
import { tokenizePrompt } from "./completion-request.ts";
import { Fields } from "./fields.ts";
import type { Inference } from "./inference.ts";

/** POST /tokenize, in vLLM's shape: `prompt` text or `messages`. */
export function tokenize(value: unknown, inference: Inference) {
  const body = new Fields(value);
  const { model } = inference;
  requireModel(body, model, false);
  const ids =
    body.raw("messages") === undefined
      ? tokenizePrompt(body, model, Number.POSITIVE_INFINITY).ids
      : tokenizeChat(body, model, body.boolean("add_generation_prompt") ?? true);
  return {
    count: ids.length,
    max_model_len: inference.contextTokensMax,
    tokens: ids,
    token_strs: body.boolean("return_token_strs") === true ? ids.map((id) => model.tokenizer.tokenText(id)) : null,
  };
}

/** POST /detokenize, in vLLM's shape: `tokens` to `prompt`, special tokens included. */
export function detokenize(value: unknown, inference: Inference) {
  const body = new Fields(value);
  const { model } = inference;
  requireModel(body, model, false);
  const tokens = body.tokenIds("tokens", model.config.vocabSize, Number.POSITIVE_INFINITY);
  if (tokens === undefined) return body.fail("tokens", "is required");
  return { prompt: model.tokenizer.decode(tokens, { special: true }) };
}
