// Text to token ids and back.

export { tokenCharacters } from "./byte-level.ts";
export { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export type { Segment, SharableTokenizer, Tokenizer } from "./tokenizer.ts";

// What threads share.

export type { SharedVocabulary } from "./vocabulary.ts";
