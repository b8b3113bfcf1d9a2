import { describe, expect, it } from "vitest";
import { StopMatcher } from "./stop-matcher.ts";

/** Feeds a text in pieces of every length and returns what came out. */
function feed(stops: string[], text: string, pieceLength: number): { text: string; matched: string | undefined } {
  const matcher = new StopMatcher(stops);
  let out = "";
  for (let at = 0; at < text.length; at += pieceLength) {
    const piece = matcher.push(text.slice(at, at + pieceLength));
    out += piece.text;
    if (piece.matched !== undefined) return { text: out, matched: piece.matched };
  }
  return { text: out + matcher.flush(), matched: undefined };
}

describe("StopMatcher", () => {
  it("finds a stop string wherever its pieces are cut", () => {
    for (let length = 1; length <= 12; length++)
      expect(feed(["\n\nUser:"], "Hello\n\n\nUser: no", length)).toEqual({ text: "Hello\n", matched: "\n\nUser:" });
  });

  it("gives the whole text when there is no stop in it", () => {
    for (let length = 1; length <= 12; length++)
      expect(feed(["abc", "bd"], "ababab abb ab", length)).toEqual({ text: "ababab abb ab", matched: undefined });
  });

  it("ends before the earliest of several stops", () => {
    expect(feed(["world", "lo"], "hello world", 20)).toEqual({ text: "hel", matched: "lo" });
  });

  it("holds back no more than what may begin a stop", () => {
    const matcher = new StopMatcher(["STOP"]);
    expect(matcher.push("go ST")).toEqual({ text: "go ", matched: undefined });
    expect(matcher.push("A")).toEqual({ text: "STA", matched: undefined });
    expect(matcher.flush()).toBe("");
  });

  it("passes everything on at once without stops", () => {
    expect(new StopMatcher([]).push("abc")).toEqual({ text: "abc", matched: undefined });
  });
});
