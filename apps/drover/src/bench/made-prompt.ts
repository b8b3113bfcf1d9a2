import { seededRandom } from "@drover/core";

/** Short words, most of which are one token of any model. */
const WORDS = (
  "time year people way day man thing woman life child world school state family student group country problem hand part place case week company system " +
  "program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue " +
  "side kind head house service friend father power hour game line end member law car city community name president team minute idea kid body information " +
  "back parent face others level office door health person art war history party result change morning reason research girl guy moment air teacher force " +
  "education foot boy age policy music market sense nation plan college interest death experience effect use class control care field development role " +
  "effort rate heart drug show leader light voice wife police mind price report decision son view relationship town road arm difference value building " +
  "action season society tax director position player record paper space ground form event official matter center couple site project activity star table " +
  "need court oil situation cost industry figure street image phone data picture practice piece land product doctor wall patient worker news test movie"
).split(" ");

/** So many words that follow from `seed` alone. */
export function madeWords(count: number, seed: number): string {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]).join(" ");
}

/** How many tokens a server counts: `wordTokens` for each word, and `fixedTokens` for what its template adds. */
export type WordScale = Readonly<{ wordTokens: number; fixedTokens: number }>;

/** The words that are about so many tokens, at least one. */
export const wordsFor = (tokens: number, { wordTokens, fixedTokens }: WordScale): number =>
  Math.max(1, Math.round((tokens - fixedTokens) / wordTokens));

/** The scale of two prompts of so many words that a server counted. */
export function wordScale(few: CountedPrompt, many: CountedPrompt): WordScale {
  const wordTokens = Math.max(0.1, (many.tokens - few.tokens) / (many.words - few.words));
  return { wordTokens, fixedTokens: Math.max(0, few.tokens - few.words * wordTokens) };
}

export type CountedPrompt = Readonly<{ words: number; tokens: number }>;
