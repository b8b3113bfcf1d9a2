import { readDetokenize, readTokenize, type TokenizeReply } from "@drover/openai";
import type { Inference } from "../requests/inference.ts";

/** POST /tokenize. */
export async function tokenize(body: unknown, inference: Inference, signal: AbortSignal): Promise<TokenizeReply> {
  const { model, facts } = inference;
  const { prompt, returnTokenTexts } = readTokenize(body, facts);
  const ids = Array.from(await inference.tokenize(prompt, signal));
  return {
    count: ids.length,
    max_model_len: facts.contextTokensMax,
    tokens: ids,
    token_strs: returnTokenTexts ? ids.map((id) => model.tokenizer.tokenText(id)) : null,
  };
}

/** POST /detokenize: special tokens come with the text. */
export function detokenize(body: unknown, { model, facts }: Inference) {
  return { prompt: model.tokenizer.decode(readDetokenize(body, facts), { special: true }) };
}
