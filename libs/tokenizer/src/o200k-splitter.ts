import { CLASS, classOf } from "./character-classes.ts";
import type { Splitter } from "./splitter.ts";

/** Llama 4's split pattern (GPT-4o's), as it stands in tokenizer.json. Source: llama-models, tokenizer.py. */
export const O200K_PATTERN = [
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
  "\\p{N}{1,3}",
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|");

const { upper, lower, number, space, lineEnd, mark } = CLASS;
const LETTER_OR_MARK = upper | lower;
const DIGITS_MAX = 3;

/**
 * Llama 4's pattern by hand: several times faster than the regular expression, and without its stack, which a run of millions of letters
 * overflows. Every character is in some piece.
 */
export class O200kSplitter implements Splitter {
  split(text: string, from: number, to: number, take: (from: number, to: number) => void): void {
    for (let at = from; at < to; ) {
      const end = pieceEnd(text, at, to);
      take(at, end);
      at = end;
    }
  }
}

function pieceEnd(text: string, start: number, to: number): number {
  const first = classAt(text, start);
  const isLetter = (first & LETTER_OR_MARK) !== 0 && (first & mark) === 0;
  if (!isLetter && (first & (number | lineEnd)) === 0) {
    // A mark may also begin a word: it does where the first alternative has no word behind it.
    const end = wordEnd(text, start + widthAt(text, start), to, (first & mark) === 0);
    if (end > 0) return end;
  }
  if ((first & LETTER_OR_MARK) !== 0) return wordEnd(text, start, to, true);
  if ((first & number) !== 0) return numberEnd(text, start, to);
  return symbolsEnd(text, start, to) || spaceEnd(text, start, to);
}

/**
 * `[upper]*[lower]+`, else (where `both`) `[upper]+[lower]*`, and a contraction; -1 for neither. Letters without case are in both classes:
 * where no lower-case letter follows, the first alternative gives back characters up to the last one without case.
 */
function wordEnd(text: string, start: number, to: number, both: boolean): number {
  let at = start;
  let lastCaseless = -1;
  for (let bits = 0; at < to; at += widthAt(text, at)) {
    bits = classAt(text, at);
    if ((bits & upper) === 0) break;
    if ((bits & lower) !== 0) lastCaseless = at;
  }
  if (at < to && (classAt(text, at) & lower) !== 0) {
    while (at < to && (classAt(text, at) & lower) !== 0) at += widthAt(text, at);
  } else if (lastCaseless >= 0) at = lastCaseless + widthAt(text, lastCaseless);
  else if (!both) return -1;
  return at === start ? -1 : at + contractionLength(text, at, to);
}

/** `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`; the long s folds to s. */
function contractionLength(text: string, at: number, to: number): number {
  if (at + 1 >= to || text.charCodeAt(at) !== 0x27) return 0;
  const one = text.charCodeAt(at + 1);
  switch (one < 0x80 ? one | 0x20 : one) {
    case 0x17f: // ſ
    case 0x73: // s
    case 0x74: // t
    case 0x6d: // m
    case 0x64: // d
      return 2;
    case 0x72: // r
    case 0x76: // v
      return at + 2 < to && (text.charCodeAt(at + 2) | 0x20) === 0x65 ? 3 : 0;
    case 0x6c: // l
      return at + 2 < to && (text.charCodeAt(at + 2) | 0x20) === 0x6c ? 3 : 0;
    default:
      return 0;
  }
}

function numberEnd(text: string, start: number, to: number): number {
  let at = start;
  for (let count = 0; count < DIGITS_MAX && at < to && (classAt(text, at) & number) !== 0; count++)
    at += widthAt(text, at);
  return at;
}

/** ` ?[^\s\p{L}\p{N}]+[\r\n/]*`; 0 where there is no symbol. */
function symbolsEnd(text: string, start: number, to: number): number {
  const begin = text.charCodeAt(start) === 0x20 ? start + 1 : start;
  let at = begin;
  while (at < to && isSymbol(classAt(text, at))) at += widthAt(text, at);
  if (at === begin) return 0;
  for (; at < to; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x0a && unit !== 0x0d && unit !== 0x2f) break;
  }
  return at;
}

function isSymbol(bits: number): boolean {
  return (bits & (space | number)) === 0 && ((bits & LETTER_OR_MARK) === 0 || (bits & mark) !== 0);
}

/** `\s*[\r\n]+`, else all white space, but for the last one before something else. */
function spaceEnd(text: string, start: number, to: number): number {
  let at = start;
  let afterLineEnd = -1;
  for (; at < to; at++) {
    const bits = classAt(text, at);
    if ((bits & space) === 0) break;
    if ((bits & lineEnd) !== 0) afterLineEnd = at + 1;
  }
  if (afterLineEnd >= 0) return afterLineEnd;
  return at === to || at === start + 1 ? at : at - 1;
}

function classAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return classOf((unit & 0xfc00) === 0xd800 ? (text.codePointAt(at) ?? unit) : unit);
}

function widthAt(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
}
