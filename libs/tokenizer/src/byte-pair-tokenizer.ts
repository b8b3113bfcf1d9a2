import { BytePairMerger } from "./byte-pair-merger.ts";
import { BytePairTable } from "./byte-pair-table.ts";
import { ByteStrings } from "./byte-strings.ts";
import { SCANNED_SYMBOLS_MAX, SCRATCH_BYTES_MAX } from "./limits.ts";
import { O200kSplitter } from "./o200k-splitter.ts";
import { PatternSplitter } from "./pattern-splitter.ts";
import { PieceCache } from "./piece-cache.ts";
import type { Splitter } from "./splitter.ts";
import { TokenBuffer } from "./token-buffer.ts";
import type { Segment, SharableTokenizer, TokenStream } from "./tokenizer.ts";
import { Utf8Scratch } from "./utf8-scratch.ts";
import type { SharedVocabulary, SplitStep, Vocabulary } from "./vocabulary.ts";
import { WordSplitter } from "./word-splitter.ts";

/** Byte-level BPE: the text is split by patterns, and every piece's bytes are merged by rank. */
export class BytePairTokenizer implements SharableTokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #splitters: readonly Splitter[];
  readonly #words: WordSplitter | undefined;
  readonly #specialIds: ReadonlyMap<string, number>;
  readonly #isSpecial: ReadonlySet<number>;
  /** One of each token at most. */
  readonly #wholeTexts = new Map<number, string | null>();
  readonly #cache = new PieceCache();
  readonly #utf8 = new Utf8Scratch();
  readonly #merger: BytePairMerger;
  #symbols = new Int32Array(SCANNED_SYMBOLS_MAX);
  /** Of the text that is being encoded; empty in between. */
  readonly #ids = new TokenBuffer();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#splitters = vocabulary.steps.map(splitterOf);
    this.#words = vocabulary.words.length === 0 ? undefined : new WordSplitter(vocabulary.words);
    this.#specialIds = new Map(vocabulary.specials.map(({ id, content }) => [content, id]));
    this.#isSpecial = new Set(this.#specialIds.values());
    this.#merger = new BytePairMerger(vocabulary.merges);
  }

  /** The tokenizer of another thread's vocabulary. */
  static over(shared: SharedVocabulary): BytePairTokenizer {
    const strings = ByteStrings.over(shared.strings);
    return new BytePairTokenizer({ ...shared, strings, merges: BytePairTable.over(shared.merges) });
  }

  share(): SharedVocabulary {
    const { strings, merges, ...rest } = this.#vocabulary;
    const { bytes, offsets, index } = strings;
    return { ...rest, strings: { bytes, offsets, index }, merges: merges.slots };
  }

  get vocabSize(): number {
    return this.#vocabulary.strings.count;
  }

  encode(text: string): Uint32Array {
    return this.#written((out) => this.#encodeText(text, out));
  }

  encodeSegments(segments: readonly Segment[]): Uint32Array {
    return this.#written((out) => {
      for (const segment of segments) {
        if (segment.kind === "special") out.push(segment.id);
        else this.#encodeText(segment.text, out);
      }
    });
  }

  /** The ids that are written to one buffer, which is used again. */
  #written(write: (out: TokenBuffer) => void): Uint32Array {
    const out = this.#ids;
    try {
      write(out);
      return out.toArray();
    } finally {
      out.clear();
    }
  }

  #encodeText(text: string, out: TokenBuffer): void {
    const formed = text.isWellFormed() ? text : text.toWellFormed();
    const plain = (from: number, to: number) => this.#split(0, formed, from, to, out);
    if (this.#words === undefined) plain(0, formed.length);
    else this.#words.split(formed, plain, (id) => out.push(id));
  }

  #split(step: number, text: string, from: number, to: number, out: TokenBuffer): void {
    const splitter = this.#splitters[step];
    if (splitter === undefined) this.#encodePiece(text, from, to, out);
    else splitter.split(text, from, to, this.#taker(step + 1, text, out));
  }

  /** What a splitter hands its parts to. Made once for all of them: what a call's closures share is made with each call, used or not. */
  #taker(step: number, text: string, out: TokenBuffer): (from: number, to: number) => void {
    if (step >= this.#splitters.length) return (from, to) => this.#encodePiece(text, from, to, out);
    return (from, to) => this.#split(step, text, from, to, out);
  }

  #encodePiece(text: string, from: number, to: number, out: TokenBuffer): void {
    const slot = this.#cache.slotOf(text, from, to);
    if (slot >= 0 && this.#cache.recall(slot, text, from, to, out)) return;
    const firstId = out.length;
    this.#merge(text, from, to, out);
    if (slot >= 0) this.#cache.keep(slot, text, from, to, out, firstId);
  }

  #merge(text: string, from: number, to: number, out: TokenBuffer): void {
    const { strings, idOfByte, wholePiecesFirst } = this.#vocabulary;
    const count = this.#utf8.write(text, from, to);
    const { bytes } = this.#utf8;
    if (wholePiecesFirst) {
      const whole = strings.find(bytes, 0, count);
      if (whole >= 0) {
        out.push(whole);
        return;
      }
    }
    if (this.#symbols.length < count) this.#symbols = new Int32Array(count);
    const symbols = this.#symbols;
    for (let i = 0; i < count; i++) symbols[i] = idOfByte[bytes[i] ?? 0] ?? 0;
    this.#merger.merge(symbols, count, out);
    if (count > SCRATCH_BYTES_MAX) {
      // A single huge piece must not hold its memory for ever.
      this.#symbols = new Int32Array(SCANNED_SYMBOLS_MAX);
      this.#utf8.release();
    }
  }

  decode(ids: readonly number[], { special = false }: Readonly<{ special?: boolean }> = {}): string {
    const { strings } = this.#vocabulary;
    const shown = special ? ids : ids.filter((id) => !this.isSpecial(id));
    const bytes = new Uint8Array(shown.reduce((sum, id) => sum + strings.lengthOf(id), 0));
    let at = 0;
    for (const id of shown) {
      bytes.set(strings.of(id), at);
      at += strings.lengthOf(id);
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  tokenText(id: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.tokenBytes(id).slice());
  }

  tokenBytes(id: number): Uint8Array {
    return this.#vocabulary.strings.of(id);
  }

  specialId(content: string): number | undefined {
    return this.#specialIds.get(content);
  }

  isSpecial(id: number): boolean {
    return this.#isSpecial.has(id);
  }

  stream(): TokenStream {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    // Whether a character may have begun that is not whole.
    let isOpen = false;
    return {
      push: (id) => {
        if (this.isSpecial(id)) return "";
        const whole = this.#wholeText(id);
        if (whole === "" || (!isOpen && whole !== null)) return whole;
        isOpen = whole === null;
        // A decoder reads no shared memory.
        return decoder.decode(this.tokenBytes(id).slice(), { stream: true });
      },
      flush: () => decoder.decode(),
    };
  }

  /** The text of a token whose characters are all whole; null for any other. Kept: a stream then does no more than look it up. */
  #wholeText(id: number): string | null {
    const known = this.#wholeTexts.get(id);
    if (known !== undefined) return known;
    let text: string | null;
    try {
      text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(this.tokenBytes(id).slice());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      text = null;
    }
    if (id < this.vocabSize) this.#wholeTexts.set(id, text);
    return text;
  }
}

function splitterOf(step: SplitStep): Splitter {
  return step.kind === "o200k" ? new O200kSplitter() : new PatternSplitter(step.pattern, step.behavior, step.invert);
}
