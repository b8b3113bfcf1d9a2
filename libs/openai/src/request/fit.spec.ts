import { byteTokenizer } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { readChat } from "../read/chat.ts";
import { readCompletion } from "../read/completion.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { fit } from "./fit.ts";

const fitting = { contextTokensMax: 100, drawnSeed: 42, tokenizer: byteTokenizer() };
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
    const begins = (sentence: string) => [code, expect.stringMatching(new RegExp(`^${sentence}: `))];
    expect(refusal(100, {})).toEqual(begins("messages: the prompt has 100 tokens, and the context holds 100"));
    expect(refusal(101, { max_tokens: 0 })).toEqual(
      begins("messages: the prompt has 101 tokens, and the context holds 100"),
    );
    expect(refusal(9, { max_completion_tokens: 92 })).toEqual(
      begins("max_completion_tokens: 9 prompt tokens and 92 to generate are more than the 100 tokens of the context"),
    );
    expect(refused(() => fit(completion({}), prompt(100), fitting))).toEqual(
      begins("prompt: the prompt has 100 tokens, and the context holds 100"),
    );
    expect(refusal(9, { max_tokens: 92 })).toEqual([
      code,
      expect.stringMatching(/input length and `max_tokens` exceed context limit: 9 \+ 92 > 100\./),
    ]);
  });

  it("is refused in the words that clients look for, since some of them are shown nothing else", () => {
    for (const [tokenCount, body] of [
      [100, {}],
      [9, { max_tokens: 92 }],
    ] as const) {
      const [, message] = refused(() => fit(chat(body), prompt(tokenCount), fitting));
      for (const words of [
        // OpenAI's, LiteLLM's and vLLM's; OpenAI's code, which LangChain looks for.
        "This model's maximum context length is 100 tokens",
        "reduce the length of the messages",
        "context_length_exceeded",
      ])
        expect(message).toContain(words);
    }
    const [, message] = refused(() => fit(chat({}), prompt(150), fitting));
    for (const words of ["prompt is too long: 150 tokens > 100 maximum", "exceeds the context window"])
      expect(message).toContain(words);
  });

  it("bans its words as they are, and with a space where that makes as many tokens with another begin", () => {
    const ids = (text: string) => [...new TextEncoder().encode(text)];
    const banned = (words: readonly string[], tokenizer = fitting.tokenizer) =>
      fit(chat({ bad_words: words }), prompt(1), { ...fitting, tokenizer }).sampling.bannedSequences;
    expect(banned(["ab", "c"])).toEqual([ids("ab"), ids("c")]);
    const words = { ...fitting.tokenizer, encode: (text: string) => Uint32Array.of(text.length) };
    expect(banned(["ab"], words)).toEqual([[2], [3]]);
    expect(refused(() => banned(["x".repeat(65)]))[1]).toMatch(/^bad_words\[0\]: may have at most 64 tokens/);
  });

  it("gets the drawn seed where it has none", () => {
    expect(fit(chat({}), prompt(1), fitting).sampling.seed).toBe(42);
    expect(fit(chat({ seed: 0 }), prompt(1), fitting).sampling.seed).toBe(0);
  });
});
