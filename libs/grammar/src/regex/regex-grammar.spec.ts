import { describe, expect, it } from "vitest";
import { chance } from "../testing/chance.ts";
import { sampleText } from "../testing/sample-text.ts";
import { regexGrammar } from "./regex-grammar.ts";

const SAMPLES = 60;

describe("a pattern that an answer matches from end to end", () => {
  it.each([
    "[a-c]{2,4}-\\d",
    "(?!ab)[a-c]{2}",
    "(?=.*\\d)[a-c\\d]{1,5}",
    "(?:a(?=b|c$)|[bc])+",
    "x(?!.*y.*y)[xy]*",
    "(?!(?=a)a)[ab]+",
    "a(?=b(?!c))[a-c]+",
  ])("is written as it is: %s", (pattern) => {
    const grammar = regexGrammar(pattern, "guided_regex");
    const [random, judge] = [chance(99), new RegExp(`^(?:${pattern})$`, "u")];
    for (let i = 0; i < SAMPLES; i++) expect(sampleText(grammar, random, 40)).toMatch(judge);
  });

  it("may begin and end with the anchors of Python and Rust", () => {
    const random = chance(99);
    for (const pattern of ["\\Aab\\Z", "\\Aab\\z", "^ab$"])
      expect(sampleText(regexGrammar(pattern, "regex"), random, 10)).toBe("ab");
  });
});
