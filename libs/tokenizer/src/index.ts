export { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export type { Segment, SharableTokenizer, Tokenizer } from "./tokenizer.ts";
export type { SharedVocabulary } from "./vocabulary.ts";
