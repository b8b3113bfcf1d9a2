import { encodeChat, requireModel } from "../openai/chat-request.ts";
import { encodePrompt } from "../openai/completion-request.ts";
import { Fields } from "../openai/fields.ts";
import type { Inference } from "../requests/inference.ts";

/** POST /tokenize, in vLLM's shape: `prompt` text or `messages`. */
export async function tokenize(value: unknown, inference: Inference, signal: AbortSignal) {
  const body = new Fields(value);
  const { model } = inference;
  requireModel(body, model, false);
  const context = inference.tokenizeContext(signal);
  const ids =
    body.raw("messages") === undefined
      ? (await encodePrompt(body, model, context)).ids
      : (await encodeChat(body, model, context, body.boolean("add_generation_prompt") ?? true)).promptTokenIds;
  return {
    count: ids.length,
    max_model_len: inference.contextTokensMax,
    tokens: Array.from(ids),
    token_strs:
      body.boolean("return_token_strs") === true ? Array.from(ids, (id) => model.tokenizer.tokenText(id)) : null,
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
