import type { MergeTable } from "./merge-table.ts";

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
  /** Plain text: nothing in it becomes a special token. */
  encode(text: string): number[];
  encodeSegments(segments: readonly Segment[]): number[];
  decode(ids: readonly number[], options?: Readonly<{ special?: boolean }>): string;
  /** One token as text; bytes that are no characters by themselves appear as U+FFFD. */
  tokenText(id: number): string;
  /** A token's bytes; a special token's are its name's. Empty for ids that mean nothing. */
  tokenBytes(id: number): Uint8Array;
  specialId(content: string): number | undefined;
  isSpecial(id: number): boolean;
  stream(): TokenStream;
}

/** Everything that tells one byte-level BPE from another. */
export type Vocabulary = Readonly<{
  split: RegExp;
  merges: MergeTable;
  /** Token id of each single byte. */
  idOfByte: Int32Array;
  /** Bytes by token id. */
  bytesOfId: ReadonlyArray<Uint8Array | undefined>;
  specials: ReadonlyMap<string, number>;
}>;

/** Pieces up to this length are remembered; words repeat, long runs do not. */
const CACHED_PIECE_LENGTH_MAX = 32;
const CACHED_PIECES_MAX = 32_768;

/** Byte-level BPE: the text is split by a pattern, and every piece's bytes are merged by rank. */
export class BytePairTokenizer implements Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #specialIds: ReadonlySet<number>;
  readonly #cache = new Map<string, readonly number[]>();
  readonly #encoder = new TextEncoder();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#specialIds = new Set(vocabulary.specials.values());
  }

  get vocabSize(): number {
    return this.#vocabulary.bytesOfId.length;
  }

  encode(text: string): number[] {
    const out: number[] = [];
    for (const [piece] of text.toWellFormed().matchAll(this.#vocabulary.split)) {
      for (const id of this.#piece(piece)) out.push(id);
    }
    return out;
  }

  #piece(piece: string): readonly number[] {
    const cached = this.#cache.get(piece);
    if (cached !== undefined) return cached;
    const { idOfByte, merges } = this.#vocabulary;
    const ids = merges.apply(Array.from(this.#encoder.encode(piece), (byte) => idOfByte[byte] ?? 0));
    if (piece.length <= CACHED_PIECE_LENGTH_MAX) {
      if (this.#cache.size >= CACHED_PIECES_MAX) this.#cache.clear();
      // A piece is a slice that would keep its whole text alive; the key is a copy.
      this.#cache.set(` ${piece}`.slice(1), ids);
    }
    return ids;
  }

  encodeSegments(segments: readonly Segment[]): number[] {
    const out: number[] = [];
    for (const segment of segments) {
      if (segment.kind === "special") out.push(segment.id);
      else for (const id of this.encode(segment.text)) out.push(id);
    }
    return out;
  }

  decode(ids: readonly number[], { special = false }: Readonly<{ special?: boolean }> = {}): string {
    const parts = ids.filter((id) => special || !this.isSpecial(id)).map((id) => this.tokenBytes(id));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  }

  tokenText(id: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.tokenBytes(id));
  }

  tokenBytes(id: number): Uint8Array {
    return this.#vocabulary.bytesOfId[id] ?? new Uint8Array();
  }

  specialId(content: string): number | undefined {
    return this.#vocabulary.specials.get(content);
  }

  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  stream(): TokenStream {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => (this.isSpecial(id) ? "" : decoder.decode(this.tokenBytes(id), { stream: true })),
      flush: () => decoder.decode(),
    };
  }
}
