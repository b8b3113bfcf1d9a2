import { DroverError } from "@drover/core";
import type { GenerationConfig } from "../config/generation-config.ts";
import type { ModelConfig } from "../config/model-config.ts";

/**
 * Refuses a tokenizer of another model: one with ids for which the model has no row, or without the tokens that end an answer. `tokenCount`: ids that
 * the tokenizer has. Errors: `invalid_argument` naming both sides.
 */
export function checkVocabulary(
  { vocabSize, imageTokenId }: Pick<ModelConfig, "vocabSize" | "imageTokenId">,
  { eosTokenIds }: Pick<GenerationConfig, "eosTokenIds">,
  tokenCount: number,
): void {
  if (tokenCount > vocabSize)
    throw new DroverError(
      "invalid_argument",
      `the tokenizer has ${tokenCount} ids and config.json a vocab_size of ${vocabSize}: copy the tokenizer that belongs to the model`,
    );
  if (imageTokenId !== undefined && imageTokenId >= vocabSize)
    throw new DroverError(
      "invalid_argument",
      `config.json: image_token_index is ${imageTokenId}, and its vocab_size ${vocabSize}: copy the config.json that belongs to the model`,
    );
  const end = eosTokenIds.find((id) => id >= tokenCount);
  if (end !== undefined)
    throw new DroverError(
      "invalid_argument",
      `answers end with token ${end} (eos_token_id), and the tokenizer has ${tokenCount} ids: copy the tokenizer that belongs to the model`,
    );
}
