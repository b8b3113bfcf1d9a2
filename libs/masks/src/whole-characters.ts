import type { Tokenizer } from "@drover/tokenizer";

const WORD_BITS = 32;

/**
 * What may follow in a text that is cut within a character: so many bytes, the next of them from `low` to `high`. `lead`: what came of a character
 * that may become a separator of lines, U+2028 or U+2029, which no grammar writes as it is; else 0.
 */
export type PendingBytes = Readonly<{ needed: number; low: number; high: number; lead: number }>;

/** Between two characters. */
export const BETWEEN: PendingBytes = { needed: 0, low: 0x80, high: 0xbf, lead: 0 };

/**
 * Keeps outputs in valid UTF-8. A grammar's automaton takes any continuation byte behind a leading one, so that tokens that are parts of
 * characters could spell what no text has: overlong forms, halves of surrogate pairs, points beyond the last one.
 */
export class WholeCharacters {
  readonly #tokenizer: Tokenizer;
  /** Tokens that hold a part of a character. */
  readonly #fragments: readonly number[];
  readonly #words: number;
  /** For each of the few things that may be pending, the tokens that break a character behind it, as bits. */
  readonly #breaking = new Map<string, Uint32Array>();

  constructor(tokenizer: Tokenizer, vocabSize: number) {
    this.#tokenizer = tokenizer;
    this.#words = Math.ceil(vocabSize / WORD_BITS);
    const ids = Array.from({ length: Math.min(vocabSize, tokenizer.vocabSize) }, (_, id) => id);
    this.#fragments = ids.filter((id) => !tokenizer.isSpecial(id) && this.after(BETWEEN, id)?.needed !== 0);
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
    const breaking = this.#breakingBehind(pending);
    for (let word = 0; word < allowed.length; word++) allowed[word] = (allowed[word] ?? 0) & ~(breaking[word] ?? 0);
  }

  #breakingBehind(pending: PendingBytes): Uint32Array {
    const key = `${pending.needed}/${pending.low}/${pending.high}/${pending.lead}`;
    const known = this.#breaking.get(key);
    if (known !== undefined) return known;
    const breaking = new Uint32Array(this.#words);
    for (const id of this.#fragments)
      if (this.after(pending, id) === undefined) breaking[id >>> 5] = (breaking[id >>> 5] ?? 0) | (1 << (id & 31));
    this.#breaking.set(key, breaking);
    return breaking;
  }
}

/** Source: The Unicode Standard, table 3-7, well-formed UTF-8 byte sequences. */
function next({ needed, low, high, lead }: PendingBytes, byte: number): PendingBytes | undefined {
  if (needed > 0) {
    if (byte < low || byte > high || (lead === 0xe280 && (byte === 0xa8 || byte === 0xa9))) return undefined;
    return { ...BETWEEN, needed: needed - 1, lead: lead === 0xe2 && byte === 0x80 ? 0xe280 : 0 };
  }
  if (byte < 0x80) return BETWEEN;
  if (byte >= 0xc2 && byte <= 0xdf) return { ...BETWEEN, needed: 1 };
  if (byte === 0xe0) return { ...BETWEEN, needed: 2, low: 0xa0 };
  if (byte === 0xe2) return { ...BETWEEN, needed: 2, lead: 0xe2 };
  if (byte === 0xed) return { ...BETWEEN, needed: 2, high: 0x9f };
  if (byte >= 0xe1 && byte <= 0xef) return { ...BETWEEN, needed: 2 };
  if (byte === 0xf0) return { ...BETWEEN, needed: 3, low: 0x90 };
  if (byte >= 0xf1 && byte <= 0xf3) return { ...BETWEEN, needed: 3 };
  return byte === 0xf4 ? { ...BETWEEN, needed: 3, high: 0x8f } : undefined;
}
