import { expect, test } from "vitest";
import { byteLines } from "./byte-lines.ts";

async function linesOf(bytes: Uint8Array, chunkLength: number, bytesMax = 1000): Promise<string[]> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunkLength) yield bytes.subarray(at, at + chunkLength);
  }
  const lines: string[] = [];
  for await (const line of byteLines(chunks(), bytesMax)) lines.push("text" in line ? line.text : line.problem.code);
  return lines;
}

test("lines end at line feeds alone, wherever the bytes are cut", async () => {
  const text = "é\u2028a\r\n\n字\u0085b\nlast";
  for (let length = 1; length < 12; length++)
    expect(await linesOf(Buffer.from(text), length)).toEqual(["é\u2028a\r", "", "字\u0085b", "last"]);
});

test("a last line feed begins no line", async () => {
  expect(await linesOf(Buffer.from("a\n"), 1)).toEqual(["a"]);
  expect(await linesOf(Buffer.from(""), 1)).toEqual([]);
});

test("a line that is too long or no UTF-8 is a problem of its own", async () => {
  for (const length of [1, 3, 100]) {
    expect(await linesOf(Buffer.from(`a\n${"x".repeat(50)}\nb`), length, 10)).toEqual(["a", "payload_too_large", "b"]);
    expect(await linesOf(Buffer.from("a\n\xff\nb", "latin1"), length)).toEqual(["a", "invalid_argument", "b"]);
  }
});
