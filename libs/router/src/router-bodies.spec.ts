import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { neverAborted } from "@drover/core";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BodyBudget } from "./bodies/body-budget.ts";
import { isConstrained } from "./bodies/body-readers.ts";
import { BODY_BYTES_MAX, LARGE_BODY_BYTES } from "./limits.ts";
import { MemoryBudget } from "./memory/memory-budget.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import type { TestRouterOptions } from "./testing/test-router.ts";

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const ON_A_THREAD = { bodies: { inlineBytesMax: 0 } };

const BODIES: readonly (readonly [path: string, body: unknown])[] = [
  ["/tokenize", { model: "tiny", prompt: "a🙂b" }],
  ["/tokenize", { prompt: [1, 2, 3], return_token_strs: true }],
  ["/tokenize", { prompt: "", add_special_tokens: false }],
  ["/tokenize", { messages: [{ role: "user", content: "hi" }], chat_template_kwargs: { a: 1 } }],
  ["/tokenize", { model: "other", prompt: "x" }],
  ["/tokenize", []],
  ["/tokenize", "{"],
  ["/tokenize", '{"prompt": NaN}'],
  ["/detokenize", { tokens: [104, 105] }],
  ["/detokenize", { tokens: ["x"] }],
  ["/v1/completions", { model: "tiny", prompt: [300] }],
  ["/v1/completions", { model: "tiny", prompt: "x", temperature: 5 }],
  ["/v1/chat/completions", { model: "tiny", messages: [] }],
  ["/v1/chat/completions", "nothing"],
];

const first = <T>(stream: AsyncIterable<T>) => stream[Symbol.asyncIterator]().next();

/** A body of a little more than these bytes, of one piece again and again. */
const filled = (head: string, piece: string, tail: string, byteCount: number) =>
  head + piece.repeat(Math.ceil(byteCount / piece.length)) + tail;

async function shapeOf(reply: Response): Promise<unknown[]> {
  const { error }: Json = await reply.json();
  return [reply.status, error.code, error.message];
}

const tokenize = async (body: string, headers: Record<string, string> = {}) => {
  const reply = await scene.post("/tokenize", body, { headers });
  return reply.json() as Json;
};

describe("a body that is read on a thread", () => {
  it("is answered as one that is read where it is", async () => {
    const answers = async (options: TestRouterOptions) => {
      await scene.startRouter(options);
      const all = [];
      for (const [path, body] of BODIES) {
        const reply = await scene.post(path, body);
        all.push([path, body, reply.status, await reply.text()]);
      }
      await scene.router?.close();
      return all;
    };
    expect(await answers(ON_A_THREAD)).toEqual(await answers({}));
  });

  it("is answered over gRPC as one that is read where it is, and one that is no message is refused", async () => {
    const { chat, generate, tokenize } = publicApi.Inference.method;
    const { ChatRequestSchema, GenerateRequestSchema, TokenizeRequestSchema } = publicApi;
    const answers = async (options: TestRouterOptions) => {
      await scene.startRouter(options);
      using client = new RpcClient(scene.grpc);
      const reason = (call: Promise<unknown>) =>
        call.then(String, ({ code, field, message }) => [code, field, message]);
      const ask = (init: MessageInitShape<typeof TokenizeRequestSchema>) =>
        client.unary(tokenize, create(TokenizeRequestSchema, init), neverAborted);
      const talk = (init: MessageInitShape<typeof ChatRequestSchema>) =>
        reason(first(client.serverStream(chat, create(ChatRequestSchema, init))));
      const prompt = { case: "tokenIds", value: create(publicApi.TokenIdsSchema, { ids: [300] }) } as const;
      const all = [
        await ask({ input: { case: "text", value: "a🙂b" } }),
        await reason(ask({ model: "other", input: { case: "text", value: "x" } })),
        await talk({ model: "tiny" }),
        await reason(first(client.serverStream(generate, create(GenerateRequestSchema, { prompt })))),
        await talk({ messages: [{ role: "user", content: "x" }], tools: ["no JSON"] }),
      ];
      await scene.router?.close();
      return all;
    };
    expect(await answers(ON_A_THREAD)).toEqual(await answers({}));
  });

  it("is read on a thread, however small, where a grammar is to be made of it", () => {
    for (const body of [
      { response_format: {} },
      { regex: "a" },
      { tools: [{ function: { strict: true } }] },
      { tools: [], tool_choice: "required" },
      { tools: [], tool_choice: { type: "function" } },
    ])
      expect(isConstrained(body), JSON.stringify(body)).toBe(true);
    for (const body of [
      { tools: [{}, 0, 2n ** 64n, null] },
      { tools: [], tool_choice: "auto" },
      { prompt: "regex" },
      null,
      "x",
    ])
      expect(isConstrained(body)).toBe(false);
  });

  it("reaches the queue with the prompt that it has", async () => {
    await scene.startRouter(ON_A_THREAD);
    for (const [i, [path, prompt]] of [
      ["/v1/completions", { prompt: "hi" }],
      ["/v1/completions", { prompt: [256, 104, 105], echo: true }],
      ["/v1/completions", { prompt: "hi", echo: true }],
      ["/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] }],
    ].entries()) {
      const client = new AbortController();
      const reply = scene.post(path as string, { model: "tiny", ...(prompt as object) }, { signal: client.signal });
      const failed = expect(reply).rejects.toThrow();
      const { payload } = await scene.cluster.jobs.at(i);
      const { promptTokenIds } = scene.cluster.request(payload);
      const text = Buffer.from(new Uint32Array(promptTokenIds.slice().buffer).subarray(1)).toString();
      expect(text).toBe(i < 3 ? "hi" : "user:hi\n");
      client.abort();
      await failed;
    }
  });

  it("of any shape gets a clear answer, and the next one is served", async () => {
    await scene.startRouter({ requestsMax: 100 });
    const bytes = 2 ** 22;
    const ask = async (path: string, body: string) => (await scene.post(path, body)).status;
    expect(await ask("/v1/completions", filled('{"model":"tiny","prompt":[', "1,", "1]}", bytes))).toBe(400);
    expect(await ask("/v1/chat/completions", filled('{"model":"tiny","messages":[', "{},", "{}]}", bytes))).toBe(400);
    expect(await ask("/v1/completions", filled('{"model":"tiny","x":', "[", "", bytes))).toBe(400);
    expect(await ask("/v1/completions", filled('{"model":"tiny","x":[', "[],", "[]]}", bytes))).toBe(400);
    const tools = filled('{"model":"tiny","messages":[{"role":"user","content":"x"}],"tools":[', "1.0,", "1]}", bytes);
    expect(await ask("/v1/chat/completions", tools)).toBe(400);
    expect(await ask("/v1/nothing", filled('{"input":"', "x", '"}', bytes))).toBe(404);
    const reply = await tokenize(filled('{"prompt":"', "x", `","x":[${"1.0,".repeat(bytes / 4)}1.0]}`, bytes));
    expect([reply.count, reply.tokens.length]).toEqual([bytes + 1, bytes + 1]);
    const words = await scene.post("/detokenize", { tokens: reply.tokens.slice(1) });
    expect((await words.json()) as Json).toEqual({ prompt: "x".repeat(bytes) });
  });
});

describe("a body on its way", () => {
  /** Sends the head of a request of this many bytes, and some of them. */
  async function sending(contentLength: number, byteCount: number): Promise<Socket> {
    const { hostname, port } = new URL(scene.url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    socket.write(`POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${contentLength}\r\n\r\n`);
    socket.write(Buffer.alloc(byteCount, " "));
    return socket;
  }

  async function firstLine(socket: Socket): Promise<string> {
    const [chunk] = await once(socket, "data");
    return String(chunk).split("\r\n", 1)[0] ?? "";
  }

  it("that stands still is given up with 408, and its connection ends", async () => {
    await scene.startRouter({ bodies: { times: { stallMs: 50, totalMs: 60_000 } } });
    const socket = await sending(1000, 10);
    expect(await firstLine(socket)).toBe("HTTP/1.1 408 Request Timeout");
    await once(socket, "close");
  });

  it("that takes too long in all is given up, however steadily it comes", async () => {
    await scene.startRouter({ bodies: { times: { stallMs: 60_000, totalMs: 200 } } });
    const socket = await sending(1000, 10);
    const drops = setInterval(() => socket.write(" "), 10);
    expect(await firstLine(socket)).toBe("HTTP/1.1 408 Request Timeout");
    clearInterval(drops);
    socket.destroy();
  });

  it("is refused when all together hold too much; small ones still get in, and who leaves makes room", async () => {
    const large = 4 * LARGE_BODY_BYTES;
    const budget = new BodyBudget(new MemoryBudget("bodies", 2 * large), large + 1000);
    await scene.startRouter({ bodies: { budget } });
    const holder = await sending(large + 500, large);
    await expect.poll(() => budget.byteCount).toBe(large);
    const body = filled('{"prompt":"', "x", '"}', large);
    const refused = await scene.post("/tokenize", body);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect((await tokenize('{"prompt":"x"}')).count).toBe(2);
    holder.destroy();
    await expect.poll(() => budget.byteCount).toBe(0);
    expect((await tokenize(body)).count).toBe(large + 1);
    expect(budget.byteCount).toBe(0);
  });

  it("that has no room even alone is refused with 413 before it has come, by the flag to raise", async () => {
    const bytes = new MemoryBudget("bodies", 8 * LARGE_BODY_BYTES);
    const budget = new BodyBudget(bytes, 7 * LARGE_BODY_BYTES);
    await scene.startRouter({ bodies: { budget } });
    const taken = vi.spyOn(bytes, "take");
    const refused = await scene.post("/tokenize", filled('{"prompt":"', "x", '"}', 7 * LARGE_BODY_BYTES));
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([413, null]);
    expect(await refused.text()).toMatch(/ 0\.5 MiB, .* 0\.4 MiB of bodies .*--body-memory/);
    expect(taken).not.toHaveBeenCalled();
    const hold = budget.hold();
    hold.add(7 * LARGE_BODY_BYTES);
    expect(() => hold.add(1)).toThrow(expect.objectContaining({ code: "payload_too_large" }));
    hold[Symbol.dispose]();
    expect(budget.byteCount).toBe(0);
  });

  it("is JSON, whatever its content type says, and whether it is one at all", async () => {
    await scene.startRouter();
    const types = [
      "text/plain",
      "application/vnd.api+json",
      "json",
      "a/b/c",
      ";",
      "application/json, application/json",
    ];
    for (const type of types) {
      const reply = await scene.post("/tokenize", '{"prompt":"typed"}', { headers: { "content-type": type } });
      expect([type, ((await reply.json()) as Json).count]).toEqual([type, 6]);
    }
  });

  it("is unpacked as its content-encoding says, within the same limit", async () => {
    await scene.startRouter();
    const body = Buffer.from('{"prompt":"packed"}');
    const packed = { gzip: gzipSync(body), deflate: deflateSync(body), br: brotliCompressSync(body), identity: body };
    for (const [encoding, bytes] of Object.entries(packed)) {
      const reply = await scene.post("/tokenize", undefined, {
        body: new Uint8Array(bytes),
        headers: { "content-encoding": encoding },
      });
      expect([encoding, ((await reply.json()) as Json).count]).toEqual([encoding, 7]);
    }
    const send = async (encoding: string, bytes: Buffer) =>
      shapeOf(
        await scene.post("/tokenize", undefined, {
          body: new Uint8Array(bytes),
          headers: { "content-encoding": encoding },
        }),
      );
    expect((await send("gzip", gzipSync(Buffer.alloc(BODY_BYTES_MAX + 1)))).slice(0, 2)).toEqual([
      413,
      "payload_too_large",
    ]);
    expect((await send("zstd", body)).slice(0, 2)).toEqual([415, "unsupported_media_type"]);
    expect((await send("gzip", body)).slice(0, 2)).toEqual([400, "invalid_argument"]);
    expect((await send("gzip", packed.gzip.subarray(0, 20))).slice(0, 2)).toEqual([400, "invalid_argument"]);
  });
});
