import type { Tokenizer } from "@drover/tokenizer";
import { BAD_WORD_TOKENS_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";

/**
 * The tokens of words that an answer may not have: of each as it is, and with a space before it where that makes another token of its begin.
 * Errors: `invalid_argument` for a word of too many tokens. Source: vLLM, SamplingParams.update_from_tokenizer.
 */
export function badWordTokens(
  words: readonly string[],
  tokenizer: Pick<Tokenizer, "encode">,
): readonly (readonly number[])[] {
  return words.flatMap((word, i) => {
    const plain = Array.from(tokenizer.encode(word));
    const spaced = Array.from(tokenizer.encode(` ${word.trimStart()}`));
    if (Math.max(plain.length, spaced.length) > BAD_WORD_TOKENS_MAX)
      throw fieldError(`bad_words[${i}]`, `may have at most ${BAD_WORD_TOKENS_MAX} tokens`);
    return spaced[0] !== plain[0] && spaced.length === plain.length ? [plain, spaced] : [plain];
  });
}
