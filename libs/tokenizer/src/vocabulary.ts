import type { BytePairTable } from "./byte-pair-table.ts";
import type { ByteStrings } from "./byte-strings.ts";
import type { SplitBehavior } from "./pattern-splitter.ts";

/** A step of cutting a text into pieces: Llama 4's own pattern, or any other as a regular expression. */
export type SplitStep =
  | Readonly<{ kind: "o200k" }>
  | Readonly<{ kind: "pattern"; pattern: RegExp; behavior: SplitBehavior; invert: boolean }>;

/** A token that stands outside of BPE. */
export type AddedToken = Readonly<{ id: number; content: string }>;

/** Everything that tells one byte-level BPE from another. */
export type Vocabulary = Readonly<{
  steps: readonly SplitStep[];
  strings: ByteStrings;
  merges: BytePairTable;
  /** Id of each single byte. */
  idOfByte: Int32Array;
  /** Whether a piece that is a token is that token, whatever the merges say. */
  wholePiecesFirst: boolean;
  /** Control tokens: no text becomes one. */
  specials: readonly AddedToken[];
  /** Tokens that are cut out of a text before anything else. */
  words: readonly AddedToken[];
}>;

/** A vocabulary that can be sent to another thread; the large parts are shared with it and not copied. */
export type SharedVocabulary = Omit<Vocabulary, "strings" | "merges"> &
  Readonly<{
    strings: Pick<ByteStrings, "bytes" | "offsets" | "index">;
    merges: BytePairTable["slots"];
  }>;
