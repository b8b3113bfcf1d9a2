import { describe, expect, it } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

function split(pieces: readonly string[], charactersMax = 100): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), charactersMax);
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return lines;
}

describe("LineSplitter", () => {
  it("finds the same lines wherever the stream is cut", () => {
    const text = "one\r\n\ntwo three\nlast";
    const whole = split([text]);
    expect(whole).toEqual(["one", "", "two three", "last"]);
    for (let at = 0; at <= text.length; at++) expect(split([text.slice(0, at), text.slice(at)])).toEqual(whole);
  });

  it("keeps no more of a line than it may", () => {
    expect(split(["x".repeat(70), "x".repeat(70), "\nshort\n"], 100)).toEqual(["x".repeat(100), "short"]);
  });
});
