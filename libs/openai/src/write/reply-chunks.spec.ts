import { greedyParams } from "@drover/core";
import { byteTokenizer } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { ReplyChunks } from "./reply-chunks.ts";

/** The chunks of a reply with so many choices, each written as its number and what happens to it. */
function chunksOf(n: number, includeUsage = false): ReplyChunks {
  const request = {
    promptTokenIds: Uint32Array.of(1),
    images: [],
    echoText: undefined,
    sampling: { ...greedyParams(4), n },
    stop: [],
    toolCalls: undefined,
  };
  const options = { stream: true, includeUsage, returnTokenIds: false };
  const model = { modelId: "tiny", tokenizer: byteTokenizer() };
  const frame = { id: "id", created: 0, model, request, requests: [request], options };
  return new ReplyChunks(frame, "chunk", {
    begin: (choice) => `${choice} begins. `,
    finish: (choice, reason) => `${choice} ends by ${reason}. `,
  });
}

describe("the chunks of a streamed reply", () => {
  it("begin a choice with its first token and end it with its last, each once", () => {
    const chunks = chunksOf(2);
    expect(chunks.token(1, "a. ", undefined)).toBe("1 begins. a. ");
    expect(chunks.token(1, "b. ", undefined)).toBe("b. ");
    expect(chunks.token(0, "", "stop")).toBe("0 begins. 0 ends by stop. ");
    expect(chunks.token(1, "c. ", "length")).toBe("c. 1 ends by length. ");
    expect(chunks.end(0)).toBe("data: [DONE]\n\n");
  });

  it("begin and end a choice that no token came for", () => {
    const chunks = chunksOf(2);
    chunks.token(0, "a", undefined);
    expect(chunks.end(0)).toBe("0 ends by length. 1 begins. 1 ends by length. data: [DONE]\n\n");
  });

  it("close with the usage where it was asked for, and say in every other chunk that there is none yet", () => {
    const chunks = chunksOf(1, true);
    expect(JSON.parse(chunks.chunk('{"index":0}').slice("data: ".length))).toMatchObject({
      object: "chunk",
      choices: [{ index: 0 }],
      usage: null,
    });
    chunks.token(0, "", "stop");
    const [usage, end] = chunks.end(1).split("\n\n");
    expect(JSON.parse((usage ?? "").slice("data: ".length))).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 1 } },
    });
    expect(end).toBe("data: [DONE]");
  });
});
