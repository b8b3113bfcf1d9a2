import { describe, expect, test } from "vitest";
import { literalPattern, splitPattern } from "./split-pattern.ts";

const matches = (source: string, text: string) => {
  const pattern = splitPattern(source);
  return typeof pattern === "string" ? pattern : [...text.matchAll(pattern)].map(([match]) => match);
};

describe("a split pattern means here what it means to its author", () => {
  test("white space is Unicode's", () => {
    expect(matches("\\s", "a\u0085\ufeff\u3000")).toEqual(["\u0085", "\u3000"]);
    expect(matches("[^\\s]", "\u0085\ufeff")).toEqual(["\ufeff"]);
    expect(matches("\\S", "\u0085\ufeff")).toEqual(["\ufeff"]);
  });

  test("an escaped backslash before an s is no white space", () => {
    expect(matches("\\\\s", " \\s")).toEqual(["\\s"]);
  });

  test("digits are Unicode's, a dot is anything but a line feed, and escaped marks are themselves", () => {
    expect(matches("\\d", "1٣x")).toEqual(["1", "٣"]);
    expect(matches(".", "\r\n\u2028")).toEqual(["\r", "\u2028"]);
    expect(matches("\\'\\-[\\-\\'a]", "'-a")).toEqual(["'-a"]);
  });

  test("letters without regard to case fold as Unicode says", () => {
    expect(matches("(?i:'s)", "'s'S'ſ")).toEqual(["'s", "'S", "'ſ"]);
  });

  test("what it cannot mean here is said and not guessed", () => {
    for (const source of [
      "a++",
      "(?>a)",
      "\\bword",
      "\\w",
      "\\h",
      "^a",
      "a$",
      "[[:alpha:]]",
      "[a-z&&[^b]]",
      "[]a]",
      "(",
      "\\p{^L}",
      "(?#c)",
    ])
      expect(typeof matches(source, "")).toBe("string");
  });
});

test("a literal string is no pattern", () => {
  expect("a.b+".split(literalPattern(".b+"))).toEqual(["a", ""]);
});
