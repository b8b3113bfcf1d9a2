import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

/** Answers of the shipped model whose characters take several tokens, so that a stream could cut them. */
const SCRIPTS = [
  ['How do you say "thank you" in Hindi?', "धन्यवाद"],
  ['How do you say "hello" in Thai?', "สวัสดี"],
  ['How do you say "hello" in Arabic?', "مرحبا"],
] as const;

describe("the official OpenAI clients work unchanged", () => {
  let cluster: TestCluster;
  let openai: OpenAI;
  const model = "nano";
  const ask = (content: string) => ({ model, temperature: 0, messages: [{ role: "user" as const, content }] });

  beforeAll(async () => {
    cluster = await TestCluster.start({ expertWorkers: 2 });
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("the served model is listed and can be retrieved", async () => {
    const list = await openai.models.list();
    expect(list.data.map(({ id }) => id)).toEqual([model]);
    expect((await openai.models.retrieve(model)).id).toBe(model);
  });

  test("a chat is answered rightly, with its usage", async () => {
    const answer = await openai.chat.completions.create(ask("What is the capital of France?"));
    expect(answer.choices[0]?.message.content).toBe("The capital of France is Paris.");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
  });

  test("a streamed chat is the same text, and include_usage adds one last chunk", async () => {
    const whole = await openai.chat.completions.create(ask("What is the capital of France?"));
    const stream = await openai.chat.completions.create({
      ...ask("What is the capital of France?"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(chunks.length).toBeGreaterThan(3);
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage).toEqual(whole.usage);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
  });

  test("echo with logprobs and max_tokens 0 gives the prompt's log-probabilities", async () => {
    const prompt = "The capital of France is";
    const answer = await openai.completions.create({ model, prompt, echo: true, logprobs: 2, max_tokens: 0 });
    const choice = answer.choices[0];
    expect(choice?.text).toBe(prompt);
    const { tokens = [], token_logprobs: values = [], top_logprobs: tops = [] } = choice?.logprobs ?? {};
    expect(tokens.length).toBe(answer.usage?.prompt_tokens);
    expect(values[0]).toBeNull();
    for (const value of values.slice(1)) expect(value).toBeLessThanOrEqual(0);
    for (const top of tops.slice(1)) expect(Object.keys(top).length).toBeGreaterThanOrEqual(2);
    expect(answer.usage?.completion_tokens).toBe(0);
  });

  test("a seed fixes every choice", async () => {
    const request = { model, prompt: "Once upon a time", n: 2, seed: 7, temperature: 1.5, max_tokens: 24 };
    const [a, b, other] = await Promise.all([
      openai.completions.create(request),
      openai.completions.create(request),
      openai.completions.create({ ...request, seed: 8 }),
    ]);
    const texts = (answer: typeof a) => answer.choices.map(({ index, text }) => [index, text]);
    expect(texts(a)).toEqual(texts(b));
    expect(texts(a)).not.toEqual(texts(other));
    expect(a.choices[0]?.text).not.toBe(a.choices[1]?.text);
  });

  test("a stop string ends the text before itself, streamed or not", async () => {
    const request = { ...ask("What is the capital of France?"), stop: ["France", "never"] };
    const whole = await openai.chat.completions.create(request);
    expect(whole.choices[0]?.message.content).toBe("The capital of ");
    expect(whole.choices[0]?.finish_reason).toBe("stop");
    let text = "";
    for await (const chunk of await openai.chat.completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe("The capital of ");
  });

  test.each(SCRIPTS)("%s streams whole characters", async (question, answer) => {
    const deltas: string[] = [];
    for await (const chunk of await openai.chat.completions.create({ ...ask(question), stream: true }))
      deltas.push(chunk.choices[0]?.delta.content ?? "");
    for (const delta of deltas) {
      expect(delta.isWellFormed()).toBe(true);
      expect(delta).not.toContain("\ufffd");
    }
    expect(deltas.join("")).toBe(answer);
  });

  test("an emoji of four bytes is never cut, token by token", async () => {
    // The echo streams the prompt's own tokens; random text after it may hold anything, but only as valid text.
    const prompt = "🦙👩‍🚀🇹🇭 नमस्ते สวัสดี مرحبا";
    const answer = await openai.completions.create({ model, prompt, echo: true, max_tokens: 0 });
    expect(answer.choices[0]?.text).toBe(prompt);
    const ids = new Set<string>();
    const bias: Record<string, number> = {};
    const response = await cluster.post("/tokenize", { model, prompt: "🦙", add_special_tokens: false });
    const { tokens } = (await response.json()) as { tokens: number[] };
    for (const id of tokens) bias[String(id)] = 100;
    const deltas: string[] = [];
    const stream = await openai.completions.create({
      model,
      prompt: "x",
      temperature: 1,
      seed: 3,
      logit_bias: bias,
      max_tokens: 64,
      stream: true,
    });
    for await (const chunk of stream) deltas.push(chunk.choices[0]?.text ?? "");
    for (const delta of deltas) {
      expect(delta.isWellFormed()).toBe(true);
      ids.add(delta);
    }
    expect(ids.size).toBeGreaterThan(0);
  });

  test("the client's own error classes say what was wrong", async () => {
    const negative = await openai.chat.completions.create({ ...ask("Hi"), max_tokens: -1 }).catch((e: unknown) => e);
    expect(negative).toBeInstanceOf(BadRequestError);
    expect((negative as BadRequestError).param).toBe("max_tokens");
    expect((negative as BadRequestError).type).toBe("invalid_request_error");
    const unknown = await openai.chat.completions.create({ ...ask("Hi"), model: "gpt" }).catch((e: unknown) => e);
    expect(unknown).toBeInstanceOf(NotFoundError);
    expect((unknown as NotFoundError).code).toBe("model_not_found");
  });
});
