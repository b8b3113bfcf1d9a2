import { create } from "@bufbuild/protobuf";
import { neverAborted } from "@drover/core";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";

/** A body that is sent to a cluster; what came of it, in a word. */
export type Shape = Readonly<{ name: string; send: (cluster: TestCluster) => Promise<string> }>;

/** Bodies of so many bytes, and small ones that ask for much. */
export function httpShapes(byteCount: number): Shape[] {
  const filled = (head: string, piece: string, tail: string) =>
    head + piece.repeat(Math.ceil((byteCount - head.length - tail.length) / piece.length)) + tail;
  const chat = (field: string, piece: string, last: string) =>
    filled(
      `{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"x"}],"${field}":[`,
      piece,
      `${last}]}`,
    );
  const message = '{"role":"user","content":"hello there, what is it?"},';
  const schema = (depth: number, one: object): object =>
    depth === 0 ? one : { type: "object", properties: { a: schema(depth - 1, one), b: schema(depth - 1, one) } };
  const constrained = (asked: object) =>
    JSON.stringify({ model: "nano", max_tokens: 1, messages: [{ role: "user", content: "x" }], ...asked });
  const json = (one: object) => constrained({ structured_outputs: { json: one } });
  return [
    http("tools and numbers", "/v1/chat/completions", chat("tools", "1.0,", "1")),
    http("an unknown field of numbers", "/v1/chat/completions", chat("x", "1.0,", "1")),
    http("an unknown field of lists", "/v1/chat/completions", chat("x", "[],", "[]")),
    http("lists within lists", "/v1/chat/completions", chat("x", "[", "")),
    http(
      "messages",
      "/v1/chat/completions",
      filled('{"model":"nano","messages":[', message, `${message.slice(0, -1)}]}`),
    ),
    http(
      "one long message",
      "/v1/chat/completions",
      filled('{"model":"nano","messages":[{"role":"user","content":"', "a b c ", '"}]}'),
    ),
    http("token ids", "/v1/completions", filled('{"model":"nano","max_tokens":1,"prompt":[', "17,", "1]}")),
    http("a prompt to tokenize", "/tokenize", filled('{"model":"nano","prompt":"', "a b c ", '"}')),
    http("ids to text", "/detokenize", filled('{"model":"nano","tokens":[', "17,", "1]}")),
    http(
      "a prompt of Messages",
      "/v1/messages",
      filled('{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"', "a b ", '"}]}'),
    ),
    http("a schema of 300 properties", "/v1/chat/completions", json(wide(300))),
    http("a schema of many levels", "/v1/chat/completions", json(schema(8, { type: "string", maxLength: 40 }))),
    http(
      "a pattern of many repetitions",
      "/v1/chat/completions",
      constrained({ structured_outputs: { regex: "([a-z]{1,40}-?){1,90}" } }),
    ),
    http("strict tools", "/v1/chat/completions", constrained({ tools: strictTools(40), tool_choice: "required" })),
  ];
}

const wide = (count: number) => ({
  type: "object",
  properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { type: "string", maxLength: 99 }])),
});

const strictTools = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    type: "function",
    function: {
      name: `f${i}`,
      strict: true,
      parameters: { ...wide(5), required: ["p0"], additionalProperties: false },
    },
  }));

function http(name: string, path: string, body: string): Shape {
  const bytes = Buffer.from(body);
  const send = async ({ url }: TestCluster) => {
    const reply = await fetch(url + path, { method: "POST", body: bytes });
    await reply.body?.pipeTo(new WritableStream());
    return String(reply.status);
  };
  return { name: `HTTP: ${name}, ${size(bytes.byteLength)}`, send };
}

/** Messages of so many bytes. */
export function grpcShapes(byteCount: number): Shape[] {
  const { ChatRequestSchema, GenerateRequestSchema, TokenizeRequestSchema, Inference } = publicApi;
  const { chat, generate, tokenize } = Inference.method;
  const count = Math.floor(byteCount / 34);
  const messages = Array.from({ length: count }, () => ({ role: "user", content: "hello there, what is it?" }));
  const ids = { ids: Array.from({ length: Math.floor(byteCount / 3) }, () => 20_000) };
  const prompt = { case: "tokenIds", value: create(publicApi.TokenIdsSchema, ids) } as const;
  const text = { case: "text", value: "a b c ".repeat(byteCount / 6) } as const;
  const first = <T>(stream: AsyncIterable<T>) => stream[Symbol.asyncIterator]().next();
  return [
    grpc("messages", (client) =>
      first(client.serverStream(chat, create(ChatRequestSchema, { model: "nano", messages }))),
    ),
    grpc("token ids", (client) =>
      first(client.serverStream(generate, create(GenerateRequestSchema, { model: "nano", prompt }))),
    ),
    grpc("a prompt to tokenize", (client) =>
      client.unary(tokenize, create(TokenizeRequestSchema, { model: "nano", input: text }), neverAborted),
    ),
  ];
}

function grpc(name: string, ask: (client: RpcClient) => Promise<unknown>): Shape {
  const send = async ({ grpcPort }: TestCluster) => {
    using client = new RpcClient(`127.0.0.1:${grpcPort}`);
    return ask(client).then(
      () => "ok",
      ({ code }) => String(code),
    );
  };
  return { name: `gRPC: ${name}`, send };
}

const size = (bytes: number): string =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
