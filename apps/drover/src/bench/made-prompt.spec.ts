import { expect, test } from "vitest";
import { madeWords, wordScale, wordsFor } from "./made-prompt.ts";

test("words follow from the seed, and another seed begins otherwise", () => {
  expect(madeWords(50, 7)).toBe(madeWords(50, 7));
  expect(madeWords(50, 7).split(" ")).toHaveLength(50);
  expect(madeWords(5, 7)).not.toBe(madeWords(5, 8));
});

test("a scale of two counted prompts gives the words of any number of tokens", () => {
  const scale = wordScale({ words: 10, tokens: 25 }, { words: 110, tokens: 150 });
  expect(scale).toEqual({ wordTokens: 1.25, fixedTokens: 12.5 });
  expect(wordsFor(150, scale)).toBe(110);
  expect(wordsFor(1, scale)).toBe(1);
});
