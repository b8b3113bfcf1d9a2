import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import OpenAI, { BadRequestError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const MODEL = "nano";
const schema = {
  type: "object",
  properties: {
    city: { type: "string", minLength: 1, maxLength: 20 },
    people: { type: "integer", minimum: 1, maximum: 99_999_999 },
    kind: { enum: ["capital", "port"] },
    tags: { type: "array", items: { type: "string", maxLength: 8 }, maxItems: 3 },
  },
  required: ["city", "people", "kind", "tags"],
  additionalProperties: false,
};
const messages = [{ role: "user" as const, content: "What is the capital of France?" }];
const response_format = {
  type: "json_schema" as const,
  json_schema: { name: "city", strict: true, schema },
};
const ask = { model: MODEL, temperature: 1, messages, response_format };

function expectCity(text: string | null | undefined): void {
  const value = JSON.parse(text ?? "");
  expect(Object.keys(value)).toEqual(["city", "people", "kind", "tags"]);
  expect(value).toMatchObject({ city: expect.stringMatching(/^[\s\S]{1,40}$/), people: expect.any(Number) });
  expect(["capital", "port"]).toContain(value.kind);
  expect(Number.isInteger(value.people) && value.people >= 1 && value.people <= 99_999_999).toBe(true);
  expect(value.tags.length).toBeLessThanOrEqual(3);
}

const tool = (name: string, properties: object, required: readonly string[]) => ({
  type: "function" as const,
  function: { name, parameters: { type: "object", properties, required } },
});
const tools = [
  tool("get_time", { city: { type: "string", maxLength: 12 } }, ["city"]),
  tool("set_timer", { minutes: { type: "integer", minimum: 1, maximum: 60 } }, ["minutes"]),
];

describe("answers of the shipped model that must match something", () => {
  let cluster: TestCluster;
  let openai: OpenAI;

  beforeAll(async () => {
    cluster = await TestCluster.start({ expertWorkers: 0, attentionWorkers: 2 });
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test("the client's own parse gives what the schema says", async () => {
    const completion = await openai.chat.completions.parse({ ...ask, seed: 1 });
    expect(completion.choices[0]?.finish_reason).toBe("stop");
    expectCity(JSON.stringify(completion.choices[0]?.message.parsed));
  });

  test("each of several choices matches, at temperature 1", async () => {
    const { choices } = await openai.chat.completions.create({ ...ask, n: 4, seed: 2, frequency_penalty: 1 });
    expect(choices).toHaveLength(4);
    for (const { message, finish_reason } of choices) {
      expect(finish_reason).toBe("stop");
      expectCity(message.content);
    }
  });

  test("a stream matches too, and log-probabilities are those of its tokens", async () => {
    const stream = openai.chat.completions.stream({ ...ask, seed: 3, logprobs: true, top_logprobs: 2 });
    const { choices } = await stream.finalChatCompletion();
    expectCity(choices[0]?.message.content);
    expect(choices[0]?.logprobs?.content?.map(({ token }) => token).join("")).toContain(choices[0]?.message.content);
  });

  test.each([
    ["guided_regex", { guided_regex: "[A-Z][a-z]{2,8} \\d{2}" }, /^[A-Z][a-z]{2,8} \d{2}$/],
    ["guided_choice", { guided_choice: ["Paris", "Lyon"] }, /^(Paris|Lyon)$/],
    ["a grammar", { guided_grammar: 'root ::= "<" word ">"\nword ::= [a-z]{1,20}' }, /^<[a-z]{1,20}>$/],
    ["structured_outputs", { structured_outputs: { json: { type: "boolean" } } }, /^(true|false)$/],
  ])("%s is kept", async (_, fields, expected) => {
    const completion = await openai.chat.completions.create({ model: MODEL, temperature: 1, messages, ...fields });
    expect(completion.choices[0]?.message.content).toMatch(expected);
  });

  test("tools are called where they must be, with arguments of their schemas", async () => {
    for (const [tool_choice, names] of [
      ["required", ["get_time", "set_timer"]],
      [{ type: "function" as const, function: { name: "set_timer" } }, ["set_timer"]],
    ] as const) {
      const { choices } = await openai.chat.completions.create({
        model: MODEL,
        temperature: 1,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: false,
      });
      const [call] = choices[0]?.message.tool_calls ?? [];
      if (call?.type !== "function") throw new Error("the model called nothing");
      expect(names).toContain(call.function.name);
      const given = JSON.parse(call.function.arguments);
      if (call.function.name === "set_timer") expect(given).toEqual({ minutes: expect.any(Number) });
      else expect(given).toEqual({ city: expect.any(String) });
    }
  });

  test("what cannot be enforced is refused by its place", async () => {
    const bad = { ...response_format, json_schema: { name: "x", schema: { type: "string", format: "color" } } };
    const refused = openai.chat.completions.create({ ...ask, response_format: bad });
    await expect(refused).rejects.toThrow(BadRequestError);
    await expect(refused).rejects.toMatchObject({ param: "response_format.json_schema.schema.format" });
  });

  test("an answer over gRPC matches", async () => {
    using client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
    const request = create(publicApi.ChatRequestSchema, {
      model: MODEL,
      messages: [{ role: "user", content: "What is the capital of France?" }],
      options: { temperature: 1, constraint: { kind: { case: "jsonSchema", value: JSON.stringify(schema) } } },
    });
    let text = "";
    for await (const reply of client.serverStream(publicApi.Inference.method.chat, request)) text += reply.text;
    expectCity(text);
  });

  test("an answer whose worker is killed goes on elsewhere, and matches", async () => {
    const long = { type: "array", items: { type: "integer", maximum: 999, minimum: 100 }, minItems: 60, maxItems: 60 };
    const completion = await openai.chat.completions.create({
      model: MODEL,
      temperature: 1,
      messages,
      stream: true,
      response_format: { type: "json_schema", json_schema: { name: "list", schema: long } },
    });
    let text = "";
    let killed = false;
    for await (const chunk of completion) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (killed || text.length < 40) continue;
      killed = true;
      expect(cluster.pids("--roles=attention").length).toBeGreaterThan(0);
      for (const pid of cluster.pids("--roles=attention")) process.kill(pid, "SIGKILL");
    }
    expect(killed).toBe(true);
    const value: unknown = JSON.parse(text);
    expect(Array.isArray(value) && value.length === 60 && value.every((one) => one >= 100 && one <= 999)).toBe(true);
  });
});
