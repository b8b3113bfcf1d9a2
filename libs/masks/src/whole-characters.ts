import type { Tokenizer } from "@drover/tokenizer";

const WORD_BITS = 32;

/** What may follow in a text that is cut within a character: no byte is pending, or these. */
export type PendingBytes = Readonly<{ needed: number; low: number; high: number }>;

/** Between two characters. */
export const BETWEEN: PendingBytes = { needed: 0, low: 0x80, high: 0xbf };

/**
 * Keeps outputs in valid UTF-8. A grammar's automaton takes any continuation byte behind a leading one, so that tokens that are parts of
 * characters could spell what no text has: overlong forms, halves of surrogate pairs, points beyond the last one.
 */
export class WholeCharacters {
  readonly #tokenizer: Tokenizer;
  /** Tokens that hold a part of a character. */
  readonly #fragments: Int32Array;
  readonly #fragmentMask: Uint32Array;

  constructor(tokenizer: Tokenizer, vocabSize: number) {
    this.#tokenizer = tokenizer;
    const fragments: number[] = [];
    for (let id = 0; id < Math.min(vocabSize, tokenizer.vocabSize); id++)
      if (!tokenizer.isSpecial(id) && this.after(BETWEEN, id)?.needed !== 0) fragments.push(id);
    this.#fragments = Int32Array.from(fragments);
    this.#fragmentMask = new Uint32Array(Math.ceil(vocabSize / WORD_BITS));
    for (const id of fragments) this.#fragmentMask[id >>> 5] = (this.#fragmentMask[id >>> 5] ?? 0) | (1 << (id & 31));
  }

  /** What is pending behind a token; undefined where it breaks a character. */
  after(pending: PendingBytes, tokenId: number): PendingBytes | undefined {
    let state: PendingBytes | undefined = pending;
    for (const byte of this.#tokenizer.tokenBytes(tokenId)) {
      state = next(state, byte);
      if (state === undefined) return undefined;
    }
    return state;
  }

  /** Takes tokens that would break a character out of a mask. */
  restrict(allowed: Uint32Array, pending: PendingBytes): void {
    if (!this.#fragmentMask.some((word, i) => (word & (allowed[i] ?? 0)) !== 0)) return;
    for (const id of this.#fragments) {
      const word = id >>> 5;
      const bit = 1 << (id & 31);
      if (((allowed[word] ?? 0) & bit) !== 0 && this.after(pending, id) === undefined)
        allowed[word] = (allowed[word] ?? 0) & ~bit;
    }
  }
}

/** Source: The Unicode Standard, table 3-7, well-formed UTF-8 byte sequences. */
function next({ needed, low, high }: PendingBytes, byte: number): PendingBytes | undefined {
  if (needed > 0) return byte >= low && byte <= high ? { ...BETWEEN, needed: needed - 1 } : undefined;
  if (byte < 0x80) return BETWEEN;
  if (byte >= 0xc2 && byte <= 0xdf) return { ...BETWEEN, needed: 1 };
  if (byte === 0xe0) return { needed: 2, low: 0xa0, high: 0xbf };
  if (byte === 0xed) return { needed: 2, low: 0x80, high: 0x9f };
  if (byte >= 0xe1 && byte <= 0xef) return { ...BETWEEN, needed: 2 };
  if (byte === 0xf0) return { needed: 3, low: 0x90, high: 0xbf };
  if (byte >= 0xf1 && byte <= 0xf3) return { ...BETWEEN, needed: 3 };
  return byte === 0xf4 ? { needed: 3, low: 0x80, high: 0x8f } : undefined;
}
