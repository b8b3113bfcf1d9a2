import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fuzz } from "./fuzz/fuzz-run.ts";
import { TestCluster } from "./test-cluster.ts";

const MODEL = "nano";
const messages = [{ role: "user", content: "Hi" }];
const chat = (change: object) => ({ model: MODEL, messages, ...change });
const text = (change: object) => ({ model: MODEL, prompt: "Hi", ...change });
const CHAT = "/v1/chat/completions";
const TEXT = "/v1/completions";

type Change = MessageInitShape<typeof publicApi.ChatRequestSchema>;

const PICTURE = "messages[0].content[0].image_url.url";
const PNG_HEAD = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").toString("base64");
const picture = (url: unknown) =>
  chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] });

/** What is sent, the status, and the field that the error names (null: the body as a whole). */
type Case = readonly [name: string, path: string, body: unknown, status: number, param: string | null];

const CASES: readonly Case[] = [
  ["an unknown model", CHAT, chat({ model: "gpt-9" }), 404, "model"],
  ["an unknown model of a completion", TEXT, text({ model: "gpt-9" }), 404, "model"],
  ["no model", CHAT, { messages }, 400, "model"],
  ["no messages", CHAT, { model: MODEL }, 400, "messages"],
  ["null for messages", CHAT, chat({ messages: null }), 400, "messages"],
  ["empty messages", CHAT, chat({ messages: [] }), 400, "messages"],
  ["a message that is no object", CHAT, chat({ messages: ["Hi"] }), 400, "messages[0]"],
  ["a message without content", CHAT, chat({ messages: [{ role: "user" }] }), 400, "messages[0].content"],
  ["a message without role", CHAT, chat({ messages: [{ content: "Hi" }] }), 400, "messages[0].role"],
  ["an unknown role", CHAT, chat({ messages: [...messages, { role: "robot", content: "" }] }), 400, "messages[1].role"],
  ["no prompt", TEXT, { model: MODEL }, 400, "prompt"],
  ["an empty list of ids", TEXT, text({ prompt: [] }), 400, "prompt"],
  ["an id beyond the vocabulary", TEXT, text({ prompt: [1e9] }), 400, "prompt"],
  ["a prompt beyond any worker's KV", TEXT, text({ prompt: Array.from({ length: 100_000 }, () => 5) }), 400, "prompt"],
  [
    "messages beyond any worker's KV",
    CHAT,
    chat({ messages: [{ role: "user", content: "word ".repeat(60_000) }] }),
    400,
    "messages",
  ],
  ["more to generate than fits", CHAT, chat({ max_tokens: 10_000_000 }), 400, "max_tokens"],
  ["negative max_tokens", CHAT, chat({ max_tokens: -1 }), 400, "max_tokens"],
  ["negative max_completion_tokens", CHAT, chat({ max_completion_tokens: -1 }), 400, "max_completion_tokens"],
  ["negative max_tokens of a completion", TEXT, text({ max_tokens: -5 }), 400, "max_tokens"],
  ["a fractional max_tokens", TEXT, text({ max_tokens: 1.5 }), 400, "max_tokens"],
  [
    "NaN for the temperature, as Python writes it",
    CHAT,
    '{"model":"nano","messages":[{"role":"user","content":"Hi"}],"temperature":NaN}',
    400,
    "temperature",
  ],
  [
    "Infinity for the temperature",
    CHAT,
    '{"model":"nano","messages":[{"role":"user","content":"Hi"}],"temperature":1e999}',
    400,
    "temperature",
  ],
  ["a negative temperature", CHAT, chat({ temperature: -0.1 }), 400, "temperature"],
  ["a stop string that is empty", CHAT, chat({ stop: "" }), 400, "stop"],
  [
    "half a surrogate pair",
    CHAT,
    '{"model":"nano","messages":[{"role":"user","content":"\\ud83e"}]}',
    400,
    "messages[0].content",
  ],
  ["a body that is no object", CHAT, "[1]", 400, null],
  ["a body that is no JSON", CHAT, '{"model":', 400, null],
  ["an empty body", CHAT, "", 400, null],
  ["an empty picture", CHAT, picture("data:,"), 400, PICTURE],
  ["a picture that is none", CHAT, picture(`data:image/png;base64,${btoa("<svg/>")}`), 400, PICTURE],
  ["a picture that is cut off", CHAT, picture(`data:image/png;base64,${PNG_HEAD}`), 400, PICTURE],
  ["a picture of a private address", CHAT, picture("http://127.0.0.1:1/a.png"), 400, PICTURE],
  ["a picture of a private address by name", CHAT, picture("http://localhost/a.png"), 400, PICTURE],
  ["a picture of cloud metadata", CHAT, picture("http://169.254.169.254/latest"), 400, PICTURE],
  ["a picture by file", CHAT, picture("file:///etc/passwd"), 400, PICTURE],
  ["a picture without a URL", CHAT, picture(undefined), 400, PICTURE],
  ["a field that is known and not supported", CHAT, chat({ audio: { voice: "alloy", format: "wav" } }), 400, "audio"],
  ["another one", TEXT, text({ suffix: "tail" }), 400, "suffix"],
  ["a schema that cannot be enforced", CHAT, chat({ guided_json: { minlength: 1 } }), 400, "guided_json.minlength"],
];

/** A value of a wrong type for every field that both interfaces read. */
const WRONG_TYPES: Readonly<Record<string, unknown>> = {
  model: 5,
  temperature: "hot",
  top_p: [1],
  top_k: "3",
  min_p: {},
  repetition_penalty: true,
  presence_penalty: "1",
  frequency_penalty: "1",
  logit_bias: [1],
  seed: "7",
  stop: 5,
  stop_token_ids: "5",
  max_tokens: "10",
  min_tokens: "1",
  n: "2",
  logprobs: "yes",
  stream: "true",
  stream_options: 5,
  ignore_eos: 1,
  return_token_ids: 1,
  return_routed_experts: "yes",
};

describe("bad input is refused by name, before anything is queued", () => {
  let cluster: TestCluster;
  let client: RpcClient;

  beforeAll(async () => {
    cluster = await TestCluster.start({ expertWorkers: 1, flags: ["--kv-memory", "2MiB", "--max-requests", "4"] });
    client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
  });
  afterAll(async () => {
    client?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  async function expectRefusal(path: string, body: unknown, statusCode: number, param: string | null): Promise<void> {
    const response = await cluster.post(path, body);
    const reply = (await response.json()) as { error: { message: string; type: string; param: unknown; code: string } };
    expect(response.status, JSON.stringify(reply)).toBe(statusCode);
    expect(reply.error.type).toBe("invalid_request_error");
    expect(typeof reply.error.message).toBe("string");
    expect(reply.error.param).toBe(param);
  }

  test.each(CASES)("HTTP: %s", (_name, path, body, statusCode, param) => expectRefusal(path, body, statusCode, param));

  test.each(Object.entries(WRONG_TYPES))("HTTP: a wrong type of %s", async (field, value) => {
    await expectRefusal(CHAT, chat({ [field]: value }), 400, field);
    await expectRefusal(TEXT, text({ [field]: value }), 400, field);
  });

  test("HTTP: bytes that are not UTF-8", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"model":"nano","messages":[{"role":"user","content":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}]}'),
    ]);
    const response = await fetch(cluster.url + CHAT, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: bytes,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
  });

  test("HTTP: a body of 100 MB", async () => {
    const response = await cluster.post(CHAT, chat({ messages: [{ role: "user", content: "x".repeat(100e6) }] }));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "payload_too_large" } });
  });

  const GRPC: readonly [string, Change, number, string][] = [
    ["an unknown model", { model: "gpt-9" }, status.NOT_FOUND, "model"],
    ["no model", { model: "" }, status.INVALID_ARGUMENT, "model"],
    ["no messages", { messages: [] }, status.INVALID_ARGUMENT, "messages"],
    ["an unknown role", { messages: [{ role: "robot", content: "Hi" }] }, status.INVALID_ARGUMENT, "messages[0].role"],
    ["NaN for the temperature", { options: { temperature: Number.NaN } }, status.INVALID_ARGUMENT, "temperature"],
    [
      "an infinite penalty",
      { options: { presencePenalty: Number.POSITIVE_INFINITY } },
      status.INVALID_ARGUMENT,
      "presence_penalty",
    ],
    ["no choice at all", { options: { n: 0 } }, status.INVALID_ARGUMENT, "n"],
    ["more to generate than fits", { options: { maxTokens: 4_000_000_000 } }, status.INVALID_ARGUMENT, "max_tokens"],
    [
      "messages beyond any worker's KV",
      { messages: [{ role: "user", content: "word ".repeat(60_000) }] },
      status.INVALID_ARGUMENT,
      "messages",
    ],
    ["a tool that is no JSON", { tools: ["{"] }, status.INVALID_ARGUMENT, "tools[0]"],
  ];

  test.each(GRPC)("gRPC: %s", async (_name, change, code, field) => {
    const request = create(publicApi.ChatRequestSchema, { ...chat({}), ...change } as Change);
    const error = await drain(client.serverStream(publicApi.Inference.method.chat, request)).catch((e: unknown) => e);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(`${field}: `);
  });

  test("gRPC: bytes that are no message, invalid UTF-8, and 100 MB", async () => {
    const { chat: method } = publicApi.Inference.method;
    const path = `/${method.parent.typeName}/${method.name}`;
    const same = (bytes: Buffer) => bytes;
    const sent = async (bytes: Buffer) => {
      const plain = new Client(`127.0.0.1:${cluster.grpcPort}`, credentials.createInsecure(), {
        "grpc.max_send_message_length": -1,
      });
      const error = await drain(plain.makeServerStreamRequest(path, same, same, bytes)).catch((e: unknown) => e);
      plain.close();
      return error;
    };
    const refused = [status.INVALID_ARGUMENT, status.INTERNAL];
    expect(refused).toContain(((await sent(Buffer.from([0xff, 0xff]))) as { code: number }).code);
    expect(refused).toContain(((await sent(Buffer.from([0x0a, 0x02, 0xff, 0xfe]))) as { code: number }).code);
    expect(await sent(Buffer.alloc(100e6))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  test("nothing of all this was ever queued", async () => {
    const metrics = await (await fetch(`${await cluster.adminUrl("scheduler")}/metrics`)).text();
    const values = (name: string) =>
      [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].map((match) => Number(match[1]));
    expect(values("drover_scheduler_queue_depth").length).toBeGreaterThan(0);
    for (const name of ["drover_scheduler_queue_depth", "drover_scheduler_placements_total"])
      for (const value of values(name)) expect(value).toBe(0);
  });

  test("over its limit the router answers 429 with Retry-After, and serves again afterwards", async () => {
    const leave = new AbortController();
    const body = { ...text({}), max_tokens: 100, ignore_eos: true, stream: true };
    const crowd = await Promise.all(Array.from({ length: 12 }, () => cluster.post(TEXT, body, leave.signal)));
    const refused = crowd.filter((response) => response.status === 429);
    expect(crowd.every(({ status: code }) => code === 200 || code === 429)).toBe(true);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ error: { code: "overloaded" } });
    }
    leave.abort();
    const again = async () => (await cluster.post(TEXT, text({ max_tokens: 1 }))).status;
    await expect.poll(again).toBe(200);
  });

  // bench/fuzz.ts sends a hundred thousand.
  test("of 1,500 malformed requests none is told of a bug, none of nothing, and no process ends", async () => {
    const before = cluster.pids("main.ts");
    const grpc = `127.0.0.1:${cluster.grpcPort}`;
    const { counts, faults } = await fuzz({ url: cluster.url, grpc, seed: 20, count: 1500, atOnce: 16 });
    expect(faults.map(({ what, sent }) => `${what}: ${sent.slice(0, 500)}`)).toEqual([]);
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(1500);
    expect(counts.get("400")).toBeGreaterThan(100);
    expect(cluster.pids("main.ts")).toEqual(before);
  });
});

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
