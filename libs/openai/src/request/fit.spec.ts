import { describe, expect, it } from "vitest";
import { readChat } from "../read/chat.ts";
import { readCompletion } from "../read/completion.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { fit } from "./fit.ts";

const fitting = { contextTokensMax: 100, drawnSeed: 42 };
const prompt = (tokenCount: number) => ({
  tokenIds: new Uint32Array(tokenCount),
  images: [],
  echoText: undefined,
});
const messages = [{ role: "user", content: "hi" }];
const chat = (body: object, defaults = {}) => readChat({ model: "tiny", messages, ...body }, tinyFacts(defaults));
const completion = (body: object) => readCompletion({ model: "tiny", prompt: "hi", ...body }, tinyFacts());

describe("a query that meets its tokens", () => {
  it("may generate what was asked for, or the checkpoint's own count, or what fits where that is less", () => {
    const maxTokens = (tokenCount: number, body: object, defaults = {}) =>
      fit(chat(body, defaults), prompt(tokenCount), fitting).sampling.maxTokens;
    expect(maxTokens(40, { max_tokens: 60 })).toBe(60);
    expect(maxTokens(40, {})).toBe(50);
    expect(maxTokens(80, {})).toBe(20);
    expect(maxTokens(40, {}, { maxNewTokens: undefined })).toBe(60);
    expect(maxTokens(100, { max_tokens: 0 })).toBe(0);
    expect(fit(completion({}), prompt(3), fitting).sampling.maxTokens).toBe(16);
  });

  it("is refused where prompt and output do not fit the context together, by the name of what is too much", () => {
    const refusal = (tokenCount: number, body: object) => refused(() => fit(chat(body), prompt(tokenCount), fitting));
    const code = "context_length_exceeded";
    expect(refusal(100, {})).toEqual([code, "messages: the prompt has 100 tokens, and the context holds 100"]);
    expect(refusal(101, { max_tokens: 0 })).toEqual([
      code,
      "messages: the prompt has 101 tokens, and the context holds 100",
    ]);
    expect(refusal(9, { max_completion_tokens: 92 })).toEqual([
      code,
      "max_completion_tokens: 9 prompt tokens and 92 to generate are more than the 100 tokens of the context",
    ]);
    expect(refused(() => fit(completion({}), prompt(100), fitting))).toEqual([
      code,
      "prompt: the prompt has 100 tokens, and the context holds 100",
    ]);
  });

  it("gets the drawn seed where it has none", () => {
    expect(fit(chat({}), prompt(1), fitting).sampling.seed).toBe(42);
    expect(fit(chat({ seed: 0 }), prompt(1), fitting).sampling.seed).toBe(0);
  });
});
