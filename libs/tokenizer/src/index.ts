export { BytePairTokenizer } from "./byte-pair-tokenizer.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export { parseTiktokenModel } from "./tiktoken-model.ts";
export type { Segment, SharableTokenizer, Tokenizer, TokenStream } from "./tokenizer.ts";
export { parseTokenizerJson } from "./tokenizer-json.ts";
export type { SharedVocabulary } from "./vocabulary.ts";
