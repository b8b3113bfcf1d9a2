import { serveThread } from "@drover/threads";
import { loadTokenizer, tokenCharacters } from "@drover/tokenizer";
import { GrammarCursors } from "./grammar-cursors.ts";
import { MaskCache } from "./mask-cache.ts";
import type { MaskAnswer, MaskMessage, MaskThreadSettings } from "./mask-messages.ts";
import { TokenCounts } from "./token-counts.ts";
import { WholeCharacters } from "./whole-characters.ts";
import { loadXGrammar } from "./xgrammar.ts";

/** A thread that compiles grammars and makes masks: the vocabulary is read when it starts. */
await serveThread(async ({ modelDirectory, vocabSize }: MaskThreadSettings) => {
  const tokenizer = await loadTokenizer(modelDirectory);
  const xgrammar = loadXGrammar();
  // A token without text is never allowed: special tokens are no text, and a stop token is one by its cursor's request.
  const characters = Array.from({ length: Math.min(vocabSize, tokenizer.vocabSize) }, (_, id) =>
    tokenizer.isSpecial(id) ? "" : tokenCharacters(tokenizer, id),
  );
  const vocabulary = await xgrammar.TokenizerInfo.createTokenizerInfo(characters, "byte_level", false, vocabSize, []);
  // Compiled grammars are kept here, where what they hold is bounded.
  const compiler = await xgrammar.GrammarCompiler.createGrammarCompiler(vocabulary, false);
  const cursors = new GrammarCursors(
    xgrammar,
    compiler,
    new WholeCharacters(tokenizer, vocabSize),
    new TokenCounts(tokenizer, vocabSize),
    new MaskCache(vocabSize),
  );
  return {
    answer: (message: MaskMessage): Promise<MaskAnswer> =>
      message.kind === "open" ? cursors.open(message) : cursors.advance(message),
    buffersOf: () => [],
  };
});
