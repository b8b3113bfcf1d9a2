import { expect, test } from "vitest";
import { checkVocabulary } from "./check-vocabulary.ts";

const model = { vocabSize: 100, imageTokenId: 99 };

test("a tokenizer of fewer ids than the model has rows belongs to it, where it has the tokens that end an answer", () => {
  expect(() => checkVocabulary(model, { eosTokenIds: [89] }, 90)).not.toThrow();
  expect(() => checkVocabulary(model, { eosTokenIds: [] }, 100)).not.toThrow();
});

test("a tokenizer of another model is refused: ids without a row, or an end that it does not have", () => {
  expect(() => checkVocabulary(model, { eosTokenIds: [] }, 101)).toThrow(/101 ids .* vocab_size of 100/);
  expect(() => checkVocabulary(model, { eosTokenIds: [3, 90] }, 90)).toThrow(/end with token 90 .* 90 ids/);
});

test("a config whose pictures stand at a token without a row is refused by its field", () => {
  const far = { vocabSize: 100, imageTokenId: 100 };
  expect(() => checkVocabulary(far, { eosTokenIds: [] }, 90)).toThrow(
    /^config.json: image_token_index is 100, .* 100:/,
  );
  expect(() => checkVocabulary({ ...far, imageTokenId: undefined }, { eosTokenIds: [] }, 90)).not.toThrow();
});
