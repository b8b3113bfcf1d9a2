import type { AddedToken } from "./vocabulary.ts";

/** Cuts a tokenizer's own words out of a text, the leftmost first and of those the longest. */
export class WordSplitter {
  readonly #pattern: RegExp;
  readonly #idOf: ReadonlyMap<string, number>;

  constructor(words: readonly AddedToken[]) {
    const longestFirst = words.map(({ content }) => content).sort((a, b) => b.length - a.length);
    const escaped = longestFirst.map((word) => word.replaceAll(/[\^$\\.*+?()[\]{}|/]/g, "\\$&"));
    this.#pattern = new RegExp(escaped.join("|"), "gu");
    this.#idOf = new Map(words.map(({ id, content }) => [content, id]));
  }

  /** Calls `plain` with the bounds of what lies between words, and `word` with each word's id, in order. */
  split(text: string, plain: (from: number, to: number) => void, word: (id: number) => void): void {
    let at = 0;
    for (const { 0: content, index } of text.matchAll(this.#pattern)) {
      if (index > at) plain(at, index);
      word(this.#idOf.get(content) ?? 0);
      at = index + content.length;
    }
    if (at < text.length) plain(at, text.length);
  }
}
