import { greedyParams } from "@drover/core";
import { byteTokenizer } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import type { ReplyOptions } from "../request/generation-query.ts";
import { ReplyChunks } from "./reply-chunks.ts";

/** The chunks of a reply with so many choices, each written as its number and what happens to it. */
function chunksOf(n: number, includeUsage = false, asked: Partial<ReplyOptions> = {}): ReplyChunks {
  const request = {
    promptTokenIds: Uint32Array.of(1),
    images: [],
    echoText: undefined,
    sampling: { ...greedyParams(4), n },
    stop: [],
    toolCalls: undefined,
  };
  const options = { stream: true, includeUsage, returnTokenIds: false, ...asked };
  const model = { modelId: "tiny", tokenizer: byteTokenizer() };
  const frame = { id: "id", created: 0, model, request, requests: [request], options };
  return new ReplyChunks(frame, "chunk", {
    begin: (choice) => [{ begins: choice }],
    finish: (choice, reason) => `${choice} ends by ${reason}. `,
  });
}

/** The chunk that begins a choice. */
const begins = (choice: number) => chunksOf(2).chunk(choice, JSON.stringify({ begins: choice }));

describe("the chunks of a streamed reply", () => {
  it("open a choice before its first token where the prompt is told of, and then begin it no more", () => {
    const chunks = chunksOf(2, false, { promptLogprobs: 0 });
    const token = { kind: "token", choice: 1 } as Parameters<typeof chunks.opening>[0];
    expect([...(chunks.opening(token) ?? [])].join("")).toBe(begins(1));
    expect(chunks.opening(token)).toBeUndefined();
    expect(chunks.token(1, "a. ", undefined)).toBe("a. ");
    expect([...(chunks.opening({ kind: "end", cachedTokenCount: 0 }) ?? [])].join("")).toBe(begins(0));
    expect(chunksOf(2).opening(token)).toBeUndefined();
  });

  it("begin a choice with its first token and end it with its last, each once", () => {
    const chunks = chunksOf(2);
    expect(chunks.token(1, "a. ", undefined)).toBe(`${begins(1)}a. `);
    expect(chunks.token(1, "b. ", undefined)).toBe("b. ");
    expect(chunks.token(0, "", "stop")).toBe(`${begins(0)}0 ends by stop. `);
    expect(chunks.token(1, "c. ", "length")).toBe("c. 1 ends by length. ");
    expect(chunks.end(0)).toBe("data: [DONE]\n\n");
  });

  it("begin and end a choice that no token came for", () => {
    const chunks = chunksOf(2);
    chunks.token(0, "a", undefined);
    expect(chunks.end(0)).toBe(`0 ends by length. ${begins(1)}1 ends by length. data: [DONE]\n\n`);
  });

  it("close with the usage where it was asked for, and say in every other chunk that there is none yet", () => {
    const chunks = chunksOf(1, true);
    expect(JSON.parse(chunks.chunk(0, '{"index":0}').slice("data: ".length))).toMatchObject({
      object: "chunk",
      choices: [{ index: 0 }],
      usage: null,
    });
    chunks.count(0);
    chunks.token(0, "", "stop");
    const [usage, end] = chunks.end(1).split("\n\n");
    expect(JSON.parse((usage ?? "").slice("data: ".length))).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 1 } },
    });
    expect(end).toBe("data: [DONE]");
  });

  it("tell a choice's usage so far where each of them is to", () => {
    const chunks = chunksOf(2, true, { continuousUsage: true });
    const usageOf = (text: string): unknown =>
      JSON.parse(text.split("\n\n").at(-2)?.slice("data: ".length) ?? "").usage;
    const told = (count: number) => ({ prompt_tokens: 1, completion_tokens: count, total_tokens: 1 + count });
    for (const count of [1, 2]) {
      chunks.count(1);
      expect(usageOf(chunks.chunk(1, "{}"))).toEqual(told(count));
    }
    expect(usageOf(chunks.token(0, "", undefined))).toEqual(told(0));
    expect(JSON.parse(chunks.end(0).split("data: ").at(-2) ?? "").usage.completion_tokens).toBe(2);
  });

  it("have lengths that tell nothing of their text where that is asked for", () => {
    const chunks = chunksOf(1, false, { obfuscates: true });
    const written = ["", "a", "secret", "x".repeat(30)].map((text) => chunks.chunk(0, JSON.stringify({ text })));
    expect(new Set(written.map(({ length }) => length % 64)).size).toBe(1);
    expect(new Set(written.slice(0, 3).map(({ length }) => length)).size).toBe(1);
    for (const text of written) expect(JSON.parse(text.slice("data: ".length)).choices).toHaveLength(1);
    expect(new Set(written.map((text) => /"obfuscation":"(\w+)"/.exec(text)?.[1])).size).toBe(4);
  });
});
