import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const MODEL = "nano";
const tool = (name: string, parameter: string, type: string) => ({
  type: "function" as const,
  function: {
    name,
    parameters: { type: "object", properties: { [parameter]: { type } }, required: [parameter] },
  },
});
const tools = [tool("get_time", "city", "string"), tool("set_timer", "minutes", "integer")];
const QUESTION = "What time is it in Paris?";
const ask = (content: string) => ({
  model: MODEL,
  temperature: 0,
  tools,
  messages: [{ role: "user" as const, content }],
});

describe("the official OpenAI client calls tools on the shipped model", () => {
  let cluster: TestCluster;
  let openai: OpenAI;

  beforeAll(async () => {
    cluster = await TestCluster.start({ expertWorkers: 1 });
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test("a question for a tool is answered with its call", async () => {
    const { choices } = await openai.chat.completions.create(ask(QUESTION));
    const call = choices[0]?.message.tool_calls?.[0];
    expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    expect(call).toMatchObject({ type: "function", function: { name: "get_time" } });
    expect(call?.type === "function" && JSON.parse(call.function.arguments)).toEqual({ city: "Paris" });
  });

  test("the client's own reader of streams puts the same call together", async () => {
    const stream = openai.chat.completions.stream(ask("Set a timer for 3 minutes."));
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]?.finish_reason).toBe("tool_calls");
    expect(completion.choices[0]?.message.tool_calls).toMatchObject([
      { type: "function", function: { name: "set_timer", arguments: '{"minutes": 3}' } },
    ]);
  });

  test("a call and its result go back in as the model wrote and would read them", async () => {
    const first = await openai.chat.completions.create({ ...ask(QUESTION), ...{ return_token_ids: true } });
    const message = first.choices[0]?.message;
    if (message?.tool_calls === undefined) throw new Error("the model called nothing");
    const results = message.tool_calls.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: "10:30" }));
    const messages = [...ask(QUESTION).messages, message, ...results];
    const second = await openai.chat.completions.create({ ...ask(""), messages, ...{ return_token_ids: true } });
    const before = [...extra(first).prompt_token_ids, ...extra(first.choices[0]).token_ids];
    // What was read and written in the first round stands unchanged at the begin of the second.
    expect(extra(second).prompt_token_ids.slice(0, before.length)).toEqual(before);
    expect(extra(second).prompt_token_ids.length).toBeGreaterThan(before.length);
    expect(second.choices[0]?.message.content ?? "").not.toBe("");
  });

  test("the client's tool loop runs the function and asks again", async () => {
    const called: string[] = [];
    const runner = openai.chat.completions.runTools(
      {
        model: MODEL,
        temperature: 0,
        messages: [{ role: "user", content: QUESTION }],
        tools: tools.slice(0, 1).map((entry) => ({
          type: "function" as const,
          function: {
            ...entry.function,
            parse: JSON.parse,
            description: "",
            function: (given: { city: string }) => {
              called.push(given.city);
              return "10:30";
            },
          },
        })),
      },
      { maxChatCompletions: 2 },
    );
    await runner.done();
    expect(called[0]).toBe("Paris");
    expect(runner.messages.slice(0, 3).map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  });

  test("a call that must come is the one that the model would write by itself", async () => {
    for (const tool_choice of ["required", { type: "function", function: { name: "get_time" } }] as const) {
      const { choices } = await openai.chat.completions.create({ ...ask(QUESTION), tool_choice });
      const calls = (choices[0]?.message.tool_calls ?? []).map((call) => call.type === "function" && call.function);
      expect(calls).toEqual([{ name: "get_time", arguments: '{"city": "Paris"}' }]);
    }
  });

  test("with tool_choice none nothing is called", async () => {
    const { choices } = await openai.chat.completions.create({ ...ask(QUESTION), tool_choice: "none" });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
    expect(choices[0]?.finish_reason).not.toBe("tool_calls");
  });

  test("over gRPC the same call comes in a reply, and its result goes back in", async () => {
    using client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
    const chat = async (
      messages: { role: string; content: string; toolCalls?: publicApi.ToolCall[]; toolCallId?: string }[],
    ) => {
      const request = create(publicApi.ChatRequestSchema, {
        model: MODEL,
        messages,
        tools: tools.map((entry) => JSON.stringify(entry)),
        options: { temperature: 0 },
      });
      const replies: publicApi.GenerateReply[] = [];
      for await (const reply of client.serverStream(publicApi.Inference.method.chat, request)) replies.push(reply);
      return replies;
    };
    const question = { role: "user", content: QUESTION };
    const first = await chat([question]);
    const calls = first.flatMap((reply) => reply.toolCalls);
    expect(calls).toMatchObject([{ function: { name: "get_time", arguments: '{"city": "Paris"}' } }]);
    expect(first.map((reply) => reply.text).join("")).toBe("");
    expect(first.map(({ finishReason }) => finishReason).filter(Boolean)).toEqual(["tool_calls"]);
    const answered = { role: "tool", content: "10:30", toolCallId: calls[0]?.id ?? "" };
    const second = await chat([question, { role: "assistant", content: "", toolCalls: calls }, answered]);
    const before = first
      .flatMap(({ promptTokenIds }) => promptTokenIds)
      .concat(first.flatMap(({ tokenIds }) => tokenIds));
    expect(second[0]?.promptTokenIds.slice(0, before.length)).toEqual(before);
  });
});

/** Fields that the client passes on and its types do not know. */
function extra(reply: unknown): { prompt_token_ids: number[]; token_ids: number[] } {
  return reply as { prompt_token_ids: number[]; token_ids: number[] };
}
