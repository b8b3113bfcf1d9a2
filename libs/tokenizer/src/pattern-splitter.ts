import { DroverError } from "@drover/core";
import type { Splitter } from "./splitter.ts";

export const SPLIT_BEHAVIORS = ["Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"] as const;
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

/** Cuts by a regular expression, as Hugging Face's Split does. Matches and what lies between them are pieces; `behavior` says which, joined how. */
export class PatternSplitter implements Splitter {
  readonly #pattern: RegExp;
  readonly #behavior: SplitBehavior;
  readonly #invert: boolean;

  /** `pattern` has the flags g and u; with `invert` what lies between matches counts as matches. */
  constructor(pattern: RegExp, behavior: SplitBehavior = "Isolated", invert = false) {
    this.#pattern = pattern;
    this.#behavior = behavior;
    this.#invert = invert;
  }

  split(text: string, from: number, to: number, take: (from: number, to: number) => void): void {
    let start = -1;
    let wasMatch = false;
    this.#parts(text, from, to, (at, end, isMatch) => {
      if (this.#behavior === "Removed" && isMatch) return;
      if (start < 0) start = at;
      else if (!this.#joins(wasMatch, isMatch)) {
        take(start, at);
        start = at;
      }
      wasMatch = isMatch;
      if (this.#behavior === "Removed") {
        take(start, end);
        start = -1;
      }
    });
    if (start >= 0) take(start, to);
  }

  #joins(previousIsMatch: boolean, isMatch: boolean): boolean {
    switch (this.#behavior) {
      case "Contiguous":
        return previousIsMatch === isMatch;
      case "MergedWithPrevious":
        return isMatch && !previousIsMatch;
      case "MergedWithNext":
        return previousIsMatch && !isMatch;
      default:
        return false;
    }
  }

  #parts(text: string, from: number, to: number, take: (from: number, to: number, isMatch: boolean) => void): void {
    // A pattern that looks around sees the piece alone, as the reference's does.
    const piece = from === 0 && to === text.length ? text : text.slice(from, to);
    let at = 0;
    try {
      for (const { 0: match, index } of piece.matchAll(this.#pattern)) {
        if (index > at) take(from + at, from + index, this.#invert);
        at = index + match.length;
        if (match !== "") take(from + index, from + at, !this.#invert);
      }
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new DroverError("invalid_argument", "a run of characters is too long for the tokenizer's split pattern", {
        cause,
      });
    }
    if (at < piece.length) take(from + at, to, this.#invert);
  }
}
