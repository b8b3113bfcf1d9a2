import { create } from "@bufbuild/protobuf";
import { neverAborted, toDroverError } from "@drover/core";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";
import { type Shape, size } from "./shape.ts";

const { chat, generate, tokenize } = publicApi.Inference.method;

/** Messages of so many bytes. */
export function grpcShapes(byteCount: number): Shape[] {
  const { ChatRequestSchema, GenerateRequestSchema, TokenizeRequestSchema } = publicApi;
  const many = <T>(bytesEach: number, one: T): T[] =>
    Array.from({ length: Math.floor(byteCount / bytesEach) }, () => one);
  const messages = [{ role: "user", content: "hello there, what is it?" }];
  const ids = { case: "tokenIds", value: create(publicApi.TokenIdsSchema, { ids: many(3, 20_000) }) } as const;
  const text = { case: "text", value: "a b c ".repeat(byteCount / 6) } as const;
  const chatting = (name: string, asked: object) =>
    streamed(name, chat, create(ChatRequestSchema, { model: "nano", messages, ...asked }));
  const generating = (name: string, asked: object) =>
    streamed(name, generate, create(GenerateRequestSchema, { model: "nano", ...asked }));
  const one = { case: "text", value: "a" } as const;
  const scored = {
    case: "tokenIds",
    value: create(publicApi.TokenIdsSchema, { ids: Array.from({ length: 20_000 }, (_, i) => 300 + (i % 500)) }),
  } as const;
  return [
    chatting("messages", { messages: many(34, messages[0]) }),
    chatting("one long message", { messages: [{ role: "user", content: text.value }] }),
    chatting("parts", { messages: [{ role: "user", parts: many(7, { part: one }) }] }),
    chatting("tools", { tools: many(4, "{}") }),
    chatting("one long tool", { tools: [`{"x":[${"[],".repeat(byteCount / 3)}[]]}`] }),
    generating("token ids", { prompt: ids }),
    generating("a long text", { prompt: text }),
    generating("stop strings", { prompt: one, options: { stop: many(4, "ab") } }),
    generating("a bias for many tokens", {
      prompt: one,
      options: { logitBias: Object.fromEntries(many(9, 0).map((_, i) => [i, 1])) },
    }),
    generating("log-probabilities of a prompt", {
      prompt: scored,
      echo: true,
      options: { topLogprobs: 5, maxTokens: 1 },
    }),
    tokenizing("a prompt to tokenize", create(TokenizeRequestSchema, { model: "nano", input: text })),
  ].map(({ name, send }) => ({ name: `${name}, ${size(byteCount)}`, send }));
}

function streamed(
  name: string,
  method: typeof chat | typeof generate,
  message: publicApi.ChatRequest | publicApi.GenerateRequest,
): Shape {
  return asking(`gRPC ${method.name}: ${name}`, async (client) => {
    let count = 0;
    for await (const _reply of client.serverStream(method, message as never)) count++;
    return `ok, ${count} messages`;
  });
}

function tokenizing(name: string, message: publicApi.TokenizeRequest): Shape {
  return asking(`gRPC Tokenize: ${name}`, async (client) => {
    const { tokenIds } = await client.unary(tokenize, message, neverAborted);
    return `ok, ${tokenIds.length} tokens`;
  });
}

function asking(name: string, ask: (client: RpcClient) => Promise<string>): Shape {
  const send = async ({ grpcPort }: TestCluster) => {
    using client = new RpcClient(`127.0.0.1:${grpcPort}`);
    // Awaited: the client is closed with this scope.
    return await ask(client).catch((error: unknown) => {
      const { code, message } = toDroverError(error);
      return `${code}: ${message}`.slice(0, 120);
    });
  };
  return { name, send };
}
