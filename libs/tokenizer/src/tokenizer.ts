import type { SharedVocabulary } from "./vocabulary.ts";

/** A run of a prompt: a user's text, in which nothing is special, or a special token by its id. */
export type Segment = Readonly<{ kind: "text"; text: string }> | Readonly<{ kind: "special"; id: number }>;

/** Detokenizes a stream: only complete characters are sent. */
export interface TokenStream {
  /** The text that may be sent after this token; empty for special tokens and inside a character. */
  push(id: number): string;
  /** What is left: bytes that never became a character turn into U+FFFD. */
  flush(): string;
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** Plain text: nothing in it becomes a special token. Errors: `invalid_argument` for a run that the split pattern cannot take. */
  encode(text: string): Uint32Array;
  encodeSegments(segments: readonly Segment[]): Uint32Array;
  decode(ids: readonly number[], options?: Readonly<{ special?: boolean }>): string;
  /** One token as text; bytes that are no characters by themselves appear as U+FFFD. */
  tokenText(id: number): string;
  /** A token's bytes; a special token's are its name's. Empty for ids that mean nothing. */
  tokenBytes(id: number): Uint8Array;
  specialId(content: string): number | undefined;
  isSpecial(id: number): boolean;
  stream(): TokenStream;
}

/** A tokenizer whose vocabulary other threads can use. */
export interface SharableTokenizer extends Tokenizer {
  share(): SharedVocabulary;
}
