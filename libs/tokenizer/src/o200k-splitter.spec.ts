import { expect, test } from "vitest";
import { O200K_PATTERN, O200kSplitter } from "./o200k-splitter.ts";
import { PatternSplitter } from "./pattern-splitter.ts";
import { splitPattern } from "./split-pattern.ts";
import type { Splitter } from "./splitter.ts";
import { randomTexts } from "./testing/random-text.ts";

const pattern = splitPattern(O200K_PATTERN);
const byPattern = new PatternSplitter(pattern as RegExp);
const byHand = new O200kSplitter();

function pieces(splitter: Splitter, text: string): string[] {
  const found: string[] = [];
  splitter.split(text, 0, text.length, (from, to) => found.push(text.slice(from, to)));
  return found;
}

test("the hand-written pattern cuts as the regular expression does", () => {
  for (const text of randomTexts(5000)) expect(pieces(byHand, text)).toEqual(pieces(byPattern, text));
});

test("no character is lost between pieces", () => {
  for (const text of randomTexts(2000, { seed: 2 })) expect(pieces(byHand, text).join("")).toBe(text);
});

test("a run of five million letters, spaces or symbols is one piece and overflows nothing", () => {
  for (const character of "a !") expect(pieces(byHand, character.repeat(5_000_000))).toHaveLength(1);
});

test("a mark begins a word only where the first alternative finds one behind it", () => {
  expect(pieces(byHand, "\u0301AB")).toEqual(["\u0301", "AB"]);
  expect(pieces(byHand, "\u0301ab")).toEqual(["\u0301ab"]);
});
