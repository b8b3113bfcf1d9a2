import { describe, expect, it } from "vitest";
import { readEvents } from "./sse.ts";

async function parse(...pieces: Uint8Array[]) {
  async function* body() {
    yield* pieces;
  }
  return Array.fromAsync(readEvents(body()));
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("readEvents", () => {
  it("gives the same events wherever the bytes are cut, in the middle of a character too", async () => {
    const text = bytes('data: {"a": "กำ"}\r\n\r\n: comment\n\nevent: error\ndata: one\ndata: two\n\ndata: [DONE]\n\n');
    const whole = await parse(text);
    expect(whole).toEqual([
      { event: "message", data: '{"a": "กำ"}' },
      { event: "error", data: "one\ntwo" },
      { event: "message", data: "[DONE]" },
    ]);
    for (let at = 0; at <= text.length; at++) expect(await parse(text.slice(0, at), text.slice(at))).toEqual(whole);
  });

  it("gives no event that did not come to its end", async () => {
    expect(await parse(bytes("data: whole\n\ndata: half"))).toEqual([{ event: "message", data: "whole" }]);
  });
});
