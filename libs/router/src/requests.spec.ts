import { DroverError, neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import { readChatRequest } from "./openai/chat-request.ts";
import { readCompletionRequest } from "./openai/completion-request.ts";
import { tinyModel } from "./testing/tiny-model.ts";

const context = {
  contextTokensMax: 100,
  drawnSeed: 42,
  signal: neverAborted,
  holdBytes: () => undefined,
  timeImage: () => () => undefined,
};
const messages = [{ role: "user", content: "hi" }];
const chat = (body: object) => readChatRequest({ model: "tiny", messages, ...body }, tinyModel(), context);
const complete = (body: object) =>
  readCompletionRequest({ model: "tiny", prompt: "hi", ...body }, tinyModel(), context);

async function refusal(run: () => Promise<unknown>): Promise<{ code: string; field: string | undefined }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof DroverError) return { code: error.code, field: error.field };
    throw error;
  }
  throw new Error("it was accepted");
}

describe("readChatRequest", () => {
  it.each([
    [{ messages: undefined }, "messages"],
    [{ messages: [] }, "messages"],
    [{ messages: "hi" }, "messages"],
    [{ messages: [{ role: "bogus", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: "\ud800" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages[0].content[0].image_url"],
    [{ temperature: Number.NaN }, "temperature"],
    [{ temperature: "1" }, "temperature"],
    [{ temperature: 2.1 }, "temperature"],
    [{ top_p: 0 }, "top_p"],
    [{ top_k: 1.5 }, "top_k"],
    [{ min_p: -0.1 }, "min_p"],
    [{ repetition_penalty: 0 }, "repetition_penalty"],
    [{ presence_penalty: 3 }, "presence_penalty"],
    [{ frequency_penalty: -3 }, "frequency_penalty"],
    [{ logit_bias: { "258": 1 } }, "logit_bias"],
    [{ logit_bias: { "1": 101 } }, "logit_bias.1"],
    [{ stop: "" }, "stop"],
    [{ stop: [1] }, "stop"],
    [{ n: 0 }, "n"],
    [{ n: 17 }, "n"],
    [{ max_tokens: -1 }, "max_tokens"],
    [{ max_completion_tokens: 1.5 }, "max_completion_tokens"],
    [{ min_tokens: 5, max_tokens: 4 }, "min_tokens"],
    [{ top_logprobs: 2 }, "top_logprobs"],
    [{ stop_token_ids: [258] }, "stop_token_ids"],
    [{ stream_options: { include_usage: true } }, "stream_options"],
    [{ response_format: { type: "json_object" } }, "response_format"],
    [{ functions: [{ name: "f" }] }, "functions"],
    [{ audio: {} }, "audio"],
    [{ guided_json: {} }, "guided_json"],
    [{ tool_choice: "required" }, "tool_choice"],
    [{ best_of: 2 }, "best_of"],
  ])("%j is refused by the name %s", async (body, field) => {
    expect(await refusal(() => chat(body))).toEqual({ code: "invalid_argument", field });
  });

  it("null means absent, for every field", async () => {
    const names = ["temperature", "top_p", "seed", "stop", "max_tokens", "n", "tools", "response_format", "logprobs"];
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    expect(await chat(nulls)).toEqual(await chat({}));
  });

  it("what nobody knows is ignored, and neutral values of what is not supported pass", async () => {
    const known = await chat({});
    expect(await chat({ whatever: 1, response_format: { type: "text" }, best_of: 1, store: false })).toEqual(known);
  });

  it("a model that is not served is not found", async () => {
    expect(await refusal(() => chat({ model: "other" }))).toEqual({ code: "model_not_found", field: "model" });
  });

  it("the checkpoint's defaults hold where the client is silent", async () => {
    expect((await chat({})).request.sampling).toMatchObject({
      temperature: 0,
      topP: 1,
      maxTokens: 50,
      seed: 42,
      stopTokenIds: [257],
    });
    const sampled = tinyModel({ doSample: true, temperature: 0.6, topP: 0.9 });
    expect((await readChatRequest({ model: "tiny", messages }, sampled, context)).request.sampling).toMatchObject({
      temperature: 0.6,
      topP: 0.9,
    });
  });

  it("ignore_eos leaves only the request's own stop tokens", async () => {
    expect((await chat({ ignore_eos: true, stop_token_ids: [7] })).request.sampling.stopTokenIds).toEqual([7]);
  });

  it("prompt and output must fit the context together", async () => {
    const long = [{ role: "user", content: "x".repeat(200) }];
    expect(await refusal(() => chat({ messages: long }))).toEqual({
      code: "context_length_exceeded",
      field: "messages",
    });
    expect(await refusal(() => chat({ max_tokens: 99 }))).toEqual({
      code: "context_length_exceeded",
      field: "max_tokens",
    });
    expect(
      (await chat({ messages: [{ role: "user", content: "x".repeat(80) }] })).request.sampling.maxTokens,
    ).toBeLessThan(50);
  });
});

describe("readCompletionRequest", () => {
  it("takes a string after the begin token, or token ids as they are", async () => {
    expect((await complete({})).request.promptTokenIds).toEqual(Uint32Array.of(256, 104, 105));
    expect((await complete({ prompt: [1, 2, 3] })).request.promptTokenIds).toEqual(Uint32Array.of(1, 2, 3));
  });

  it.each([[["a", "b"]], [[[1], [2]]], [[]], [[258]], [[1.5]], [7]])("the prompt %j is refused", async (prompt) => {
    expect(await refusal(() => complete({ prompt }))).toEqual({ code: "invalid_argument", field: "prompt" });
  });

  it("echo with logprobs asks for the prompt's log-probabilities, and max_tokens may be 0", async () => {
    const { request } = await complete({ echo: true, logprobs: 2, max_tokens: 0 });
    expect(request.echoText).toBe("hi");
    expect(request.sampling).toMatchObject({ topLogprobs: 2, promptTopLogprobs: 2, maxTokens: 0 });
    expect((await complete({ logprobs: 2 })).request.sampling.promptTopLogprobs).toBe(-1);
  });

  it("a prompt of more ids than the context says so before its ids are read", async () => {
    const prompt = Array.from({ length: 101 }, () => 9999);
    expect(await refusal(() => complete({ prompt }))).toEqual({ code: "context_length_exceeded", field: "prompt" });
  });
});
