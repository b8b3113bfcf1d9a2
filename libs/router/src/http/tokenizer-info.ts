import { DEFAULT_TEMPLATE } from "@drover/chat";
import type { TokenizerInfo } from "@drover/openai";
import type { ServedModel } from "../served-model.ts";

/** GET /tokenizer_info, as vLLM's: the special tokens that templates know by name, and the template. */
export function tokenizerInfo({ tokenizer, template, generation }: ServedModel): TokenizerInfo {
  const { templates, variables } = template;
  const own = templates.get(DEFAULT_TEMPLATE);
  return {
    vocab_size: tokenizer.vocabSize,
    ...variables,
    eos_token_ids: [...generation.eosTokenIds],
    ...(own !== undefined && { chat_template: own }),
  };
}
