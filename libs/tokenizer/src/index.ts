export { loadTokenizer } from "./load-tokenizer.ts";
export type { Segment, Tokenizer, TokenStream } from "./tokenizer.ts";
export { parseTokenizerJson } from "./tokenizer-json.ts";
