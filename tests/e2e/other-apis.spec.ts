import Anthropic, { APIError as AnthropicError } from "@anthropic-ai/sdk";
import OpenAI, { NotFoundError } from "openai";
import type { ResponseInput } from "openai/resources/responses/responses";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const model = "nano";
const QUESTION = "What is the capital of France?";
const ANSWER = "The capital of France is Paris.";
const TIME_QUESTION = "What time is it in Lima?";
const parameters = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };
const strict = { temperature: 0, model };
const CITY = {
  type: "object" as const,
  properties: { city: { type: "string", maxLength: 12 }, kind: { enum: ["capital", "port"] } },
  required: ["city", "kind"],
  additionalProperties: false,
};

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ expertWorkers: 0 });
});
afterAll(() => cluster[Symbol.asyncDispose]());

describe("OpenAI's Responses", () => {
  const tools = [{ type: "function" as const, name: "get_time", strict: false, parameters }];
  const openai = () => new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

  test("answer a plain question, whole and streamed, with the same text and usage", async () => {
    const whole = await openai().responses.create({ ...strict, input: QUESTION });
    expect([whole.output_text, whole.status]).toEqual([ANSWER, "completed"]);
    const stream = openai().responses.stream({ ...strict, input: QUESTION });
    const types: string[] = [];
    let text = "";
    for await (const event of stream) {
      types.push(event.type);
      expect(event.sequence_number).toBe(types.length - 1);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    const last = await stream.finalResponse();
    expect([text, last.output_text]).toEqual([ANSWER, ANSWER]);
    expect([types[0], types.at(-1)]).toEqual(["response.created", "response.completed"]);
    expect(last.usage?.output_tokens).toBe(whole.usage?.output_tokens);
    expect(last.usage?.input_tokens).toBe(whole.usage?.input_tokens);
  });

  test("go on with a kept response as with the whole conversation, and say when none is kept", async () => {
    const first = await openai().responses.create({ ...strict, input: QUESTION });
    const next = { ...strict, input: [{ role: "user" as const, content: "What is the capital of Peru?" }] };
    const kept = await openai().responses.create({ ...next, previous_response_id: first.id });
    const spelled = await openai().responses.create({
      ...strict,
      input: [
        { role: "user", content: QUESTION },
        ...first.output.filter(({ type }) => type === "message"),
        ...next.input,
      ] as ResponseInput,
    });
    expect(kept.output_text).toBe(spelled.output_text);
    expect(kept.usage?.input_tokens).toBe(spelled.usage?.input_tokens);
    expect(kept.previous_response_id).toBe(first.id);
    expect((await openai().responses.retrieve(first.id)).output_text).toBe(ANSWER);

    await openai().responses.delete(first.id);
    await expect(openai().responses.retrieve(first.id)).rejects.toBeInstanceOf(NotFoundError);
    const lost = openai().responses.create({ ...next, previous_response_id: first.id });
    await expect(lost).rejects.toMatchObject({ status: 404, param: "previous_response_id" });
    const unkept = await openai().responses.create({ ...strict, input: QUESTION, store: false });
    await expect(openai().responses.retrieve(unkept.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  test("call functions, and read what they gave", async () => {
    const whole = await openai().responses.create({ ...strict, input: TIME_QUESTION, tools });
    const [call] = whole.output;
    expect(call).toMatchObject({ type: "function_call", name: "get_time", status: "completed" });
    if (call?.type !== "function_call") throw new Error("it was no call");
    expect(JSON.parse(call.arguments)).toEqual({ city: "Lima" });
    const stream = openai().responses.stream({ ...strict, input: TIME_QUESTION, tools });
    let written = "";
    for await (const event of stream)
      if (event.type === "response.function_call_arguments.delta") written += event.delta;
    expect(written).toBe(call.arguments);
    const result = { type: "function_call_output" as const, call_id: call.call_id, output: "10:40" };
    const answer = await openai().responses.create({
      ...strict,
      input: [result],
      tools,
      previous_response_id: whole.id,
    });
    expect(answer.output_text).not.toBe("");
  });

  test("match a schema, and call where they must, whole and streamed", async () => {
    const format = { type: "json_schema" as const, name: "city", strict: true, schema: CITY };
    const asked = { model, temperature: 1, seed: 3, input: QUESTION };
    const whole = await openai().responses.parse({ ...asked, text: { format } });
    expect(Object.keys(JSON.parse(whole.output_text))).toEqual(["city", "kind"]);
    expect(whole.text?.format).toMatchObject(format);
    const streamed = await openai()
      .responses.stream({ ...asked, text: { format } })
      .finalResponse();
    expect(Object.keys(JSON.parse(streamed.output_text))).toEqual(["city", "kind"]);
    const named = { type: "function" as const, name: "get_time" };
    for (const tool_choice of ["required" as const, named]) {
      const strictTools = tools.map((tool) => ({ ...tool, parameters: CITY, strict: true }));
      const { output } = await openai().responses.create({ ...asked, tools: strictTools, tool_choice });
      expect(output[0]).toMatchObject({ type: "function_call", name: "get_time" });
      if (output[0]?.type === "function_call")
        expect(Object.keys(JSON.parse(output[0].arguments))).toEqual(["city", "kind"]);
    }
  });

  test("take items of kept answers by their ids, as if they were sent again", async () => {
    const first = await openai().responses.create({ ...strict, input: TIME_QUESTION, tools });
    const [call] = first.output;
    if (call?.type !== "function_call") throw new Error("it was no call");
    const result = { type: "function_call_output" as const, call_id: call.call_id, output: "10:40" };
    const ask = (item: ResponseInput[number]) =>
      openai().responses.create({ ...strict, tools, input: [{ role: "user", content: TIME_QUESTION }, item, result] });
    const [referred, spelled] = [await ask({ type: "item_reference", id: call.id ?? "" }), await ask(call)];
    expect([referred.output_text, referred.usage?.input_tokens]).toEqual([
      spelled.output_text,
      spelled.usage?.input_tokens,
    ]);
    await expect(ask({ type: "item_reference", id: "fc_none" })).rejects.toMatchObject({ status: 404 });
  });

  test("that are cut say so, and refuse by the field's name what they do not know", async () => {
    const cut = await openai().responses.create({ ...strict, input: QUESTION, max_output_tokens: 2 });
    expect([cut.status, cut.incomplete_details]).toEqual(["incomplete", { reason: "max_output_tokens" }]);
    const post = (body: object) =>
      fetch(`${cluster.url}/v1/responses`, { method: "POST", body: JSON.stringify({ model, ...body }) });
    for (const [body, param] of [
      [{}, "input"],
      [{ input: [] }, "input"],
      [{ input: [{ type: "computer_call" }] }, "input[0].computer_call"],
      [{ input: [{ role: "user", content: [{ type: "input_text" }] }] }, "input[0].content[0].text"],
      [{ input: "a", tools: [{ type: "web_search" }] }, "tools[0].web_search"],
      [{ input: "a", background: true, store: false }, "background"],
      [{ input: "a", max_output_tokens: -1 }, "max_output_tokens"],
    ] as const) {
      const reply = await post(body);
      const { error } = (await reply.json()) as { error: { param: string } };
      expect([reply.status, error.param]).toEqual([400, param]);
    }
  });
});

describe("Anthropic's Messages", () => {
  const tools = [{ name: "get_time", input_schema: parameters }];
  const anthropic = () => new Anthropic({ baseURL: cluster.url, apiKey: "none", maxRetries: 0 });
  const asked = { ...strict, max_tokens: 64, messages: [{ role: "user" as const, content: QUESTION }] };

  test("answer a plain question, whole and streamed, with the same text and usage", async () => {
    const whole = await anthropic().messages.create(asked);
    expect(whole.content).toMatchObject([{ type: "text", text: ANSWER }]);
    expect([whole.stop_reason, whole.stop_sequence]).toEqual(["end_turn", null]);
    const stream = anthropic().messages.stream(asked);
    const last = await stream.finalMessage();
    expect(last.content).toMatchObject([{ type: "text", text: ANSWER }]);
    expect(last.stop_reason).toBe("end_turn");
    expect(last.usage.output_tokens).toBe(whole.usage.output_tokens);
    const { input_tokens } = await anthropic().messages.countTokens({ model, messages: asked.messages });
    expect(whole.usage.input_tokens + (whole.usage.cache_read_input_tokens ?? 0)).toBe(input_tokens);
  });

  test("use tools, and read what they gave", async () => {
    const messages = [{ role: "user" as const, content: TIME_QUESTION }];
    const whole = await anthropic().messages.create({ ...asked, messages, tools });
    expect(whole.stop_reason).toBe("tool_use");
    const [use] = whole.content;
    expect(use).toMatchObject({ type: "tool_use", name: "get_time", input: { city: "Lima" } });
    const streamed = await anthropic()
      .messages.stream({ ...asked, messages, tools })
      .finalMessage();
    expect(streamed.content).toMatchObject([{ type: "tool_use", name: "get_time", input: { city: "Lima" } }]);
    if (use?.type !== "tool_use") throw new Error("it was no call");
    const answer = await anthropic().messages.create({
      ...asked,
      tools,
      messages: [
        ...messages,
        { role: "assistant", content: whole.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "10:40" }] },
      ],
    });
    expect(answer.content[0]?.type).toBe("text");
  });

  test("match a schema, and use a tool where they must, whole and streamed", async () => {
    const asks = { ...asked, temperature: 1 };
    const output_config = { format: { type: "json_schema" as const, schema: CITY } };
    const whole = await anthropic().messages.create({ ...asks, output_config });
    expect(whole.content).toMatchObject([{ type: "text" }]);
    if (whole.content[0]?.type === "text")
      expect(Object.keys(JSON.parse(whole.content[0].text))).toEqual(["city", "kind"]);
    const cities = [{ name: "get_time", input_schema: CITY }];
    for (const tool_choice of [{ type: "any" as const }, { type: "tool" as const, name: "get_time" }]) {
      const { content, stop_reason } = await anthropic()
        .messages.stream({ ...asks, tools: cities, tool_choice: { ...tool_choice, disable_parallel_tool_use: true } })
        .finalMessage();
      expect([stop_reason, content.length]).toEqual(["tool_use", 1]);
      expect(content).toMatchObject([{ type: "tool_use", name: "get_time" }]);
      if (content[0]?.type === "tool_use") expect(Object.keys(content[0].input as object)).toEqual(["city", "kind"]);
    }
  });

  test("go on with what the assistant has begun to say", async () => {
    const begun = [...asked.messages, { role: "assistant" as const, content: "The capital of France" }];
    const { content } = await anthropic().messages.create({ ...asked, messages: begun });
    expect(content).toMatchObject([{ type: "text", text: " is Paris." }]);
  });

  test("end before a stop string and say which", async () => {
    const { content, stop_reason, stop_sequence } = await anthropic().messages.create({
      ...asked,
      stop_sequences: ["nothing", "France"],
    });
    expect(content).toMatchObject([{ type: "text", text: "The capital of " }]);
    expect([stop_reason, stop_sequence]).toEqual(["stop_sequence", "France"]);
  });

  test("refuse in Anthropic's shape, and name the field", async () => {
    const wrong = anthropic().messages.create({ ...asked, max_tokens: 0 });
    await expect(wrong).rejects.toBeInstanceOf(AnthropicError);
    await expect(wrong).rejects.toMatchObject({
      status: 400,
      error: {
        type: "error",
        error: { type: "invalid_request_error", message: expect.stringContaining("max_tokens") },
      },
    });
    await expect(anthropic().messages.create({ ...asked, model: "none" })).rejects.toMatchObject({ status: 404 });
  });
});
