import { create } from "@bufbuild/protobuf";
import { FinishReason, publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { EOS } from "./testing/worker-events.ts";

const tool = (name: string) => ({ type: "function", function: { name, parameters: { type: "object" } } });
const tools = [tool("f"), tool("g")];
const messages = [{ role: "user", content: "hi" }];

let scene = new RouterScene();

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter();
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

/** The worker writes these texts, one for each choice, and ends each with its stop token or for its length. */
async function write(texts: readonly string[], finish: "stop" | "length" = "stop", job = 0): Promise<string> {
  const { requestId } = await scene.cluster.jobs.at(job);
  scene.worker.send(requestId, 0, { case: "started", value: { startIndices: texts.map(() => 0) } });
  texts.forEach((text, choice) => {
    const tokens = [...new TextEncoder().encode(text)];
    const wire = finish === "stop" ? FinishReason.STOP : FinishReason.LENGTH;
    const last = finish === "stop" ? [...tokens, EOS] : tokens;
    last.forEach((tokenId, index) => {
      const end = index === last.length - 1 ? wire : FinishReason.UNSPECIFIED;
      scene.worker.send(requestId, 0, { case: "token", value: { choice, index, tokenId, finish: end } });
    });
  });
  scene.worker.send(requestId, 0, { case: "done", value: {} });
  return requestId;
}

const chat = (body: object) => scene.post("/v1/chat/completions", { model: "tiny", messages, tools, ...body });

async function whole(body: object, text: string, finish: "stop" | "length" = "stop"): Promise<Json> {
  const reply = chat(body);
  await write([text], finish, scene.cluster.jobs.all.length);
  return ((await (await reply).json()) as Json).choices[0];
}

describe("tool calls", () => {
  it.each([
    [
      "/v1/chat/completions",
      '"messages":[{"role":"user","content":"hi"}]',
      '{"type":"function","function":{"name":"f","parameters":SCHEMA}}',
    ],
    [
      "/v1/messages",
      '"max_tokens":9,"messages":[{"role":"user","content":"hi"}]',
      '{"name":"f","input_schema":SCHEMA}',
    ],
    ["/v1/responses", '"input":"hi"', '{"type":"function","name":"f","parameters":SCHEMA}'],
    ["/v1/responses", '"stream":true,"input":"hi"', '{"type":"function","name":"f","parameters":SCHEMA}'],
  ])(
    "%s takes tools whose numbers no double holds, or are written as floats, and repeats them",
    async (path, prompt, named) => {
      const schema =
        '{"type":"object","properties":{"a":{"type":"integer","maximum":18446744073709551615,"default":1.0}}}';
      const reply = scene.post(path, `{"model":"tiny",${prompt},"tools":[${named.replace("SCHEMA", schema)}]}`);
      await write(["[f(a=2)]"]);
      const text = await (await reply).text();
      expect([(await reply).status, text]).toEqual([200, expect.stringContaining('"name":"f"')]);
      if (path === "/v1/responses") expect(text).toContain('"maximum":18446744073709552000,"default":1}');
    },
  );

  it("are the message's function_call where the request has functions, whole and streamed, with why it ended", async () => {
    const older = { tools: undefined, functions: [{ name: "f", parameters: { type: "object" } }] };
    const { message, finish_reason } = await whole(older, '[f(a="é")]');
    const called = { name: "f", arguments: '{"a": "é"}' };
    expect(message).toEqual({ role: "assistant", content: null, refusal: null, function_call: called });
    expect(finish_reason).toBe("function_call");
    const reply = chat({ ...older, stream: true });
    await write(['[f(a="é")]'], "stop", scene.cluster.jobs.all.length);
    const events = (await (await reply).text()).split("\n\n").filter((text) => text.startsWith("data: {"));
    const choices = events.map((text) => (JSON.parse(text.slice(6)) as Json).choices[0]);
    const deltas = choices.map(({ delta }) => delta).filter((delta) => delta.function_call !== undefined);
    expect(deltas).toEqual([
      { function_call: { name: "f", arguments: "" } },
      { function_call: { arguments: called.arguments } },
    ]);
    expect(choices.at(-1).finish_reason).toBe("function_call");
  });

  it("are the message's tool_calls, with ids of their own, and why the reply ended", async () => {
    const { message, finish_reason } = await whole({}, '[f(a="é"), g()]');
    expect(finish_reason).toBe("tool_calls");
    expect(message).toMatchObject({
      role: "assistant",
      content: null,
      tool_calls: [
        { type: "function", function: { name: "f", arguments: '{"a": "é"}' } },
        { type: "function", function: { name: "g", arguments: "{}" } },
      ],
    });
    const ids = message.tool_calls.map(({ id }: Json) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{30}$/);
  });

  it("stand beside the text that comes before them", async () => {
    const { message } = await whole({}, "Sure.\n[f()]");
    expect(message.content).toBe("Sure.\n");
    expect(message.tool_calls).toHaveLength(1);
  });

  it("stream as OpenAI's deltas: what is called, then with what, then why it ended", async () => {
    const reply = chat({ stream: true, stream_options: { include_usage: true } });
    const written = 'Ok {"name": "f", "parameters": {"a": [1]}}; {"name": "g", "parameters": {}}';
    const requestId = await write([written]);
    const data = (await (await reply).text()).split("\n\n").flatMap((part) => (part === "" ? [] : [part.slice(6)]));
    const chunks = data.slice(0, -1).map((text) => JSON.parse(text));
    const deltas = chunks.slice(0, -1).map((chunk) => chunk.choices[0].delta);
    const prefix = `call_${requestId.replaceAll("-", "").slice(0, 24)}00`;
    const begun = (index: number, name: string) => ({
      tool_calls: [{ index, id: `${prefix}000${index}`, type: "function", function: { name, arguments: "" } }],
    });
    expect(deltas).toEqual([
      { role: "assistant", content: "" },
      { content: "O" },
      { content: "k" },
      { content: " " },
      begun(0, "f"),
      { tool_calls: [{ index: 0, function: { arguments: '{"a": [1]}' } }] },
      begun(1, "g"),
      { tool_calls: [{ index: 1, function: { arguments: "{}" } }] },
      {},
    ]);
    expect(chunks.at(-2).choices[0].finish_reason).toBe("tool_calls");
    expect(chunks.at(-1).usage.completion_tokens).toBe(written.length + 1);
  });

  it("belong to their choice", async () => {
    const reply = chat({ n: 3, temperature: 1 });
    await write(["[f(n=1)]", "no", "[g()]"]);
    const { choices } = (await (await reply).json()) as Json;
    expect(choices.map((choice: Json) => choice.finish_reason)).toEqual(["tool_calls", "stop", "tool_calls"]);
    expect(choices.map((choice: Json) => choice.message.tool_calls?.[0].function.name)).toEqual(["f", undefined, "g"]);
    expect(choices[1].message).toEqual({ role: "assistant", content: "no", refusal: null });
    expect(choices[0].message.tool_calls[0].id).not.toBe(choices[2].message.tool_calls[0].id);
  });

  it("are text where the request has no tools, asks for none, or does not have these", async () => {
    for (const body of [{ tools: undefined }, { tool_choice: "none" }, { tools: [tool("other")] }]) {
      const { message, finish_reason } = await whole(body, "[f()]");
      expect(message).toEqual({ role: "assistant", content: "[f()]", refusal: null });
      expect(finish_reason).toBe("stop");
    }
  });

  it("are text where max_tokens cuts them, and those before stand", async () => {
    const cut = await whole({}, 'I will. [f(a="x', "length");
    expect(cut).toMatchObject({ finish_reason: "length", message: { content: 'I will. [f(a="x' } });
    const second = await whole({}, '<function=f>{}</function>\n<function=g>{"a"', "length");
    expect(second.finish_reason).toBe("length");
    expect(second.message.content).toBe('\n<function=g>{"a"');
    expect(second.message.tool_calls).toHaveLength(1);
  });

  it("are text where a stop string cuts them, and those before it stand", async () => {
    const cut = await whole({ stop: "x)" }, "[f(a=1, b='x')]");
    expect(cut).toMatchObject({ finish_reason: "tool_calls" });
    const stopped = await whole({ stop: ["stop"] }, "[f(a='do stop')]");
    expect(stopped).toMatchObject({ finish_reason: "stop", message: { content: "[f(a='do " } });
    const after = await whole({ stop: ["\n"] }, "[f()]\nmore");
    expect(after).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    expect(after.message.tool_calls).toHaveLength(1);
  });

  it("are at most one where parallel_tool_calls is false", async () => {
    const { message } = await whole({ parallel_tool_calls: false }, "[f(), g()]\n[f()]");
    expect(message.content).toBeNull();
    expect(message.tool_calls.map((call: Json) => call.function.name)).toEqual(["f"]);
  });

  it("keep every token's id and log-probability", async () => {
    const { message, token_ids, logprobs } = await whole({ return_token_ids: true, logprobs: true }, "a[f()]");
    expect(message.tool_calls).toHaveLength(1);
    expect(token_ids).toEqual([...new TextEncoder().encode("a[f()]"), EOS]);
    expect(logprobs.content).toHaveLength(6);
  });

  it("come over gRPC too, and not with tool_choice none", async () => {
    using client = new RpcClient(scene.grpc);
    const ask = async (init: { toolChoice?: string; parallelToolCalls?: boolean }) => {
      const call = client.serverStream(
        publicApi.Inference.method.chat,
        create(publicApi.ChatRequestSchema, {
          model: "tiny",
          messages,
          tools: tools.map((t) => JSON.stringify(t)),
          ...init,
        }),
      );
      await write(["Ok [f(a=1), g()]"], "stop", scene.cluster.jobs.all.length);
      const replies: publicApi.GenerateReply[] = [];
      for await (const reply of call) replies.push(reply);
      return {
        text: replies.map(({ text }) => text).join(""),
        calls: replies.flatMap((reply) => reply.toolCalls.map((c) => [c.function?.name, c.function?.arguments])),
        finish: replies.map(({ finishReason }) => finishReason).filter(Boolean),
      };
    };
    const calls = [
      ["f", '{"a": 1}'],
      ["g", "{}"],
    ];
    expect(await ask({})).toEqual({ text: "Ok ", calls, finish: ["tool_calls"] });
    expect(await ask({ parallelToolCalls: false })).toMatchObject({ calls: calls.slice(0, 1) });
    expect(await ask({ toolChoice: "none" })).toEqual({ text: "Ok [f(a=1), g()]", calls: [], finish: ["stop"] });
  });
});
