import { expect, test } from "vitest";
import { PatternSplitter, type SplitBehavior } from "./pattern-splitter.ts";

const text = "the-final--countdown";
function pieces(behavior: SplitBehavior, invert = false, pattern = /-/gu, of = text): string[] {
  const found: string[] = [];
  new PatternSplitter(pattern, behavior, invert).split(of, 0, of.length, (from, to) => found.push(of.slice(from, to)));
  return found;
}

// Source of the expected pieces: the documentation of tokenizers' SplitDelimiterBehavior.
test("each behaviour joins matches with their neighbours as the reference does", () => {
  expect(pieces("Removed")).toEqual(["the", "final", "countdown"]);
  expect(pieces("Isolated")).toEqual(["the", "-", "final", "-", "-", "countdown"]);
  expect(pieces("MergedWithPrevious")).toEqual(["the-", "final-", "-", "countdown"]);
  expect(pieces("MergedWithNext")).toEqual(["the", "-final", "-", "-countdown"]);
  expect(pieces("Contiguous")).toEqual(["the", "-", "final", "--", "countdown"]);
});

test("inverted, what lies between matches counts as matches", () => {
  expect(pieces("Removed", true)).toEqual(["-", "-", "-"]);
  expect(pieces("Removed", true, /[a-z]+/gu)).toEqual(["the", "final", "countdown"]);
  expect(pieces("Isolated", true)).toEqual(pieces("Isolated"));
});

test("a pattern sees only the piece that it cuts", () => {
  const found: string[] = [];
  new PatternSplitter(/b(?!c)/gu).split("abc", 0, 2, (from, to) => found.push("abc".slice(from, to)));
  expect(found).toEqual(["a", "b"]);
});

test("a run that overflows the expression's stack is an error of the input", () => {
  expect(() => pieces("Isolated", false, /(?:a|b)+(?!c)/gu, "ab".repeat(10_000_000))).toThrow(/too long/);
});
