import { type CountingMatcher, isPlain, type MatchState, mayLeaveAscii, takesPlain } from "@drover/grammar";
import type { Tokenizer } from "@drover/tokenizer";
import { EXACT_TOKENS_MAX } from "./limits.ts";

const WORD_BITS = 32;

/** Where an output stands: in its grammar, and within a character. */
export type CountedPlace = Readonly<{ state: MatchState; pending: readonly number[] }>;

/** Takes tokens out of masks that a grammar without its counts allows and the counts do not. */
export class TokenCounts {
  readonly #tokenizer: Tokenizer;
  /** Tokens of plain characters alone, by how many they are. */
  readonly #plain: number[][] = [];
  readonly #isPlain: Uint8Array;
  /** The characters of tokens that have no parts of any: those of token i are [ends[i - 1], ends[i]). */
  readonly #points: Int32Array;
  readonly #ends: Int32Array;

  constructor(tokenizer: Tokenizer, vocabSize: number) {
    this.#tokenizer = tokenizer;
    this.#isPlain = new Uint8Array(vocabSize);
    this.#ends = new Int32Array(vocabSize);
    const all: number[] = [];
    for (let id = 0; id < Math.min(vocabSize, tokenizer.vocabSize); id++) {
      const points = tokenizer.isSpecial(id) ? undefined : wholePoints(tokenizer.tokenBytes(id));
      for (const point of points ?? []) all.push(point);
      this.#ends[id] = all.length;
      if (points === undefined || !points.every(isPlain)) continue;
      this.#isPlain[id] = 1;
      for (let length = this.#plain.length; length <= points.length; length++) this.#plain.push([]);
      this.#plain[points.length]?.push(id);
    }
    this.#points = Int32Array.from(all);
  }

  /** The place behind a token; undefined where the counts do not allow it. */
  after({ state, pending }: CountedPlace, tokenId: number, matcher: CountingMatcher): CountedPlace | undefined {
    let now: MatchState | undefined = state;
    let bytes = [...pending];
    for (const byte of this.#tokenizer.tokenBytes(tokenId)) {
      bytes.push(byte);
      if (bytes.length < characterLength(bytes[0] ?? 0)) continue;
      now = matcher.step(now, pointOf(bytes));
      if (now === undefined) return undefined;
      bytes = [];
    }
    return bytes.length > 0 && !mayLeaveAscii(now) ? undefined : { state: now, pending: bytes };
  }

  /** Takes tokens out of a mask that has none which ends the text. */
  restrict(allowed: Uint32Array, place: CountedPlace, matcher: CountingMatcher): void {
    const room =
      place.pending.length === 0 && countOf(allowed) > EXACT_TOKENS_MAX ? this.#room(place.state, matcher) : undefined;
    if (room !== undefined)
      for (let length = room + 1; length < this.#plain.length; length++)
        for (const id of this.#plain[length] ?? []) clear(allowed, id);
    for (let word = 0; word < allowed.length; word++) {
      for (let bits = allowed[word] ?? 0; bits !== 0; bits &= bits - 1) {
        const id = word * WORD_BITS + 31 - Math.clz32(bits & -bits);
        if (room !== undefined && this.#isPlain[id] === 1) continue;
        if (!this.#fits(place, id, matcher)) clear(allowed, id);
      }
    }
  }

  #fits(place: CountedPlace, id: number, matcher: CountingMatcher): boolean {
    const from = id === 0 ? 0 : (this.#ends[id - 1] ?? 0);
    const to = this.#ends[id] ?? from;
    if (from === to || place.pending.length > 0) return this.after(place, id, matcher) !== undefined;
    let state: MatchState | undefined = place.state;
    for (let i = from; i < to; i++) {
      state = matcher.step(state, this.#points[i] ?? 0);
      if (state === undefined) return false;
    }
    return true;
  }

  /** How many plain characters may come, all that tokens have at most; undefined where that depends on which. */
  #room(state: MatchState, matcher: CountingMatcher): number | undefined {
    let now = state;
    for (let count = 0; count < this.#plain.length; count++) {
      const takes = takesPlain(now);
      if (takes === undefined) return undefined;
      const next = takes ? matcher.step(now, 0x61) : undefined;
      if (next === undefined) return count;
      now = next;
    }
    return this.#plain.length;
  }
}

function clear(allowed: Uint32Array, id: number): void {
  allowed[id >>> 5] = (allowed[id >>> 5] ?? 0) & ~(1 << (id & 31));
}

function countOf(allowed: Uint32Array): number {
  let count = 0;
  for (const word of allowed) {
    let bits = word - ((word >>> 1) & 0x55555555);
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    count += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** Bytes of a character, by its first. */
function characterLength(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function pointOf(bytes: readonly number[]): number {
  const [first = 0, ...others] = bytes;
  const lead = bytes.length === 1 ? first : first & (0xff >>> (bytes.length + 1));
  return others.reduce((point, byte) => (point << 6) | (byte & 0x3f), lead);
}

/** A token's characters; undefined where it has parts of some. */
function wholePoints(bytes: Uint8Array): number[] | undefined {
  const points: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = characterLength(first);
    const part = [...bytes.subarray(at, at + length)];
    if ((first >= 0x80 && first < 0xc2) || part.length < length || part.slice(1).some((byte) => byte >> 6 !== 2))
      return undefined;
    points.push(pointOf(part));
    at += length;
  }
  return points.length === 0 ? undefined : points;
}
