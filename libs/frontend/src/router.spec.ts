import { create } from "@bufbuild/protobuf";
import { ATTEMPT_STRIDE, DroverError, neverAborted } from "@drover/core";
import { FinishReason, publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Router } from "./router.ts";
import { FakeCluster, FakeWorker } from "./testing/fake-cluster.ts";
import { startTestRouter, type TestRouterOptions } from "./testing/test-router.ts";

const EOS = 257;
const chatBody = { model: "tiny", messages: [{ role: "user", content: "hi" }] };
const started = (...startIndices: number[]) => ({ case: "started", value: { startIndices } }) as const;
const end = (index: number) =>
  ({ case: "token", value: { choice: 0, index, tokenId: EOS, finish: FinishReason.STOP } }) as const;
const done = { case: "done", value: {} } as const;

let cluster: FakeCluster;
let worker: FakeWorker;
let router: Router | undefined;
let url = "";
let grpc = "";

async function startRouter(options: TestRouterOptions & { ready?: boolean } = {}): Promise<void> {
  const started = await startTestRouter(cluster, options);
  ({ router, url, grpc } = started);
  if (options.ready ?? true) await started.ready;
}

const post = (path: string, body: unknown, init: RequestInit = {}) =>
  fetch(url + path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json" },
    ...init,
  });

/** The data of every server-sent event. */
const events = (text: string) =>
  text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => part.replace(/^data: /, ""));

beforeEach(async () => {
  cluster = await new FakeCluster().start();
  worker = await new FakeWorker("w").start();
  cluster.show([worker]);
});

afterEach(async () => {
  await router?.close();
  router = undefined;
  worker.stop();
  cluster.stop();
});

describe("Router", () => {
  it("streams the role, the text, why it ended, the usage, and [DONE]", async () => {
    await startRouter();
    const reply = post("/v1/chat/completions", { ...chatBody, stream: true, stream_options: { include_usage: true } });
    const job = await cluster.jobs.at(0);
    worker.send(job.requestId, 0, started(0));
    worker.sendText(job.requestId, 0, "né");
    worker.send(job.requestId, 0, end(3), done);
    const data = events(await (await reply).text());
    expect(data.at(-1)).toBe("[DONE]");
    const chunks = data.slice(0, -1).map((text) => JSON.parse(text));
    expect(chunks.slice(0, -1).map((chunk) => [chunk.choices[0].delta, chunk.choices[0].finish_reason])).toEqual([
      [{ role: "assistant", content: "" }, null],
      [{ content: "n" }, null],
      [{ content: "é" }, null],
      [{}, "stop"],
    ]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } });
  });

  it("a stop string over two tokens ends the text before it and cancels the worker", async () => {
    await startRouter();
    const reply = post("/v1/completions", { model: "tiny", prompt: "x", stop: "cd", return_token_ids: true });
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "abcdef");
    const { choices, usage } = (await (await reply).json()) as ReturnType<typeof JSON.parse>;
    expect(choices[0]).toMatchObject({ text: "ab", finish_reason: "stop", token_ids: [97, 98, 99, 100] });
    expect(usage.completion_tokens).toBe(4);
    expect((await worker.cancels.at(0)).requestId).toBe(requestId);
  });

  it("echo gives the prompt's log-probabilities first, null for its first token, and experts prompt first", async () => {
    await startRouter();
    const reply = post("/v1/completions", {
      model: "tiny",
      prompt: [65, 66],
      echo: true,
      logprobs: 1,
      max_tokens: 1,
      return_routed_experts: true,
    });
    const { requestId } = await cluster.jobs.at(0);
    worker.send(
      requestId,
      0,
      started(0),
      {
        case: "prompt",
        value: {
          start: 0,
          count: 2,
          logprobs: [0, -0.5],
          tops: [{}, { tokenIds: [66], logprobs: [-0.5] }],
          experts: Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 1),
        },
      },
      {
        case: "token",
        value: {
          index: 0,
          tokenId: 67,
          logprob: -0.25,
          top: { tokenIds: [67], logprobs: [-0.25] },
          finish: FinishReason.LENGTH,
        },
      },
      done,
    );
    const { choices } = (await (await reply).json()) as ReturnType<typeof JSON.parse>;
    expect(choices[0]).toMatchObject({
      text: "ABC",
      finish_reason: "length",
      logprobs: { tokens: ["A", "B", "C"], token_logprobs: [null, -0.5, -0.25], text_offset: [0, 1, 2] },
      routed_experts: [
        [1, 2],
        [3, 260],
      ],
    });
  });

  it("a client that leaves is cancelled at the worker and in the queue", async () => {
    await startRouter();
    const client = new AbortController();
    const reply = post("/v1/chat/completions", { ...chatBody, stream: true }, { signal: client.signal });
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "a");
    await reply;
    client.abort();
    expect(await worker.cancels.at(0)).toMatchObject({ requestId });
    expect(await cluster.queueCancels.at(0)).toBe(requestId);
  });

  it("a lost worker's request goes on at the next token elsewhere, and a late sign of the old attempt is cancelled", async () => {
    const other = await new FakeWorker("v").start();
    cluster.show([worker, other]);
    await startRouter();
    await other.hellos.at(0);
    const reply = post("/v1/chat/completions", chatBody);
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "ab");
    const next = new FakeWorker("w", "2");
    await next.start();
    await expect.poll(() => router?.ready).toBe(true);
    // The tokens must have arrived before the worker is lost: a refusal of the same attempt's copy proves the order.
    worker.send(requestId, 0, { case: "failed", value: { code: "unavailable", message: "lost", retryable: true } });
    const again = await cluster.jobs.at(1);
    expect(again).toMatchObject({ requestId, attemptBase: ATTEMPT_STRIDE, front: true });
    expect(cluster.request(again.payload).delivered[0]?.tokenIds).toEqual([97, 98]);
    cluster.show([next, other]);
    other.send(requestId, 0, started(0));
    expect(await other.cancels.at(0)).toMatchObject({ requestId, attempt: 0 });
    other.send(requestId, ATTEMPT_STRIDE, started(2));
    other.sendText(requestId, ATTEMPT_STRIDE, "c", 2);
    other.send(requestId, ATTEMPT_STRIDE, end(3), done);
    const body = (await (await reply).json()) as ReturnType<typeof JSON.parse>;
    expect(body.choices[0].message.content).toBe("abc");
    other.stop();
    next.stop();
  });

  it("another incarnation of a worker means that its requests are added again", async () => {
    await startRouter();
    const reply = post("/v1/chat/completions", chatBody);
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "a");
    const next = await new FakeWorker("w", "2").start();
    // A second request's cancel travels behind the first one's tokens: when it is back, they were taken.
    worker.send("nobody", 0, started(0));
    await worker.cancels.at(0);
    cluster.show([next]);
    const again = await cluster.jobs.at(1);
    expect(cluster.request(again.payload).delivered[0]?.tokenIds).toEqual([97]);
    await next.hellos.at(0);
    next.send(requestId, again.attemptBase, started(1), end(1), done);
    expect((await reply).status).toBe(200);
    next.stop();
  });

  it("a stream that breaks and comes back resumes at the next index", async () => {
    await startRouter();
    const reply = post("/v1/chat/completions", chatBody);
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "ab");
    worker.send("nobody", 0, started(0));
    await worker.cancels.at(0);
    worker.breakStream();
    const hello = await worker.hellos.at(1);
    expect(hello.resumes).toMatchObject([{ requestId, attempt: 0, nextIndices: [2], started: true }]);
    worker.sendText(requestId, 0, "abc");
    worker.send(requestId, 0, end(3), done);
    const body = (await (await reply).json()) as ReturnType<typeof JSON.parse>;
    expect(body.choices[0].message.content).toBe("abc");
    expect(cluster.jobs.all).toHaveLength(1);
  });

  it("with the queue in the scheduler, a new leader gets what nobody has begun", async () => {
    await startRouter();
    const reply = post("/v1/chat/completions", chatBody);
    const { requestId } = await cluster.jobs.at(0);
    cluster.show([worker], true, 2n);
    const again = await cluster.jobs.at(1);
    expect(again).toMatchObject({ requestId, attemptBase: ATTEMPT_STRIDE, front: true });
    worker.send(requestId, ATTEMPT_STRIDE, started(0), end(0), done);
    expect((await reply).status).toBe(200);
  });

  it("a failure in mid-stream is an error event without [DONE], and before the first byte a status", async () => {
    await startRouter();
    const stream = post("/v1/chat/completions", { ...chatBody, stream: true });
    const first = await cluster.jobs.at(0);
    const failed = { case: "failed", value: { code: "deadline_exceeded", message: "too late" } } as const;
    worker.send(first.requestId, 0, started(0));
    worker.sendText(first.requestId, 0, "a");
    worker.send(first.requestId, 0, failed);
    const data = events(await (await stream).text());
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "deadline_exceeded", message: "too late" } });
    const early = post("/v1/chat/completions", { ...chatBody, stream: true });
    const second = await cluster.jobs.at(1);
    worker.send(second.requestId, 0, failed);
    expect((await early).status).toBe(504);
  });

  it("a large request goes by reference, and its payload is gone when it ends", async () => {
    await startRouter();
    const prompt = Array.from({ length: 18_000 }, () => 200);
    const reply = post("/v1/completions", { model: "tiny", prompt, max_tokens: 1 });
    const job = await cluster.jobs.at(0);
    expect(job).toMatchObject({ lane: "long", promptTokenCount: 18_000, payload: { kind: "reference" } });
    expect(cluster.request(job.payload).promptTokenIds).toHaveLength(18_000 * 4);
    worker.send(job.requestId, 0, started(0), end(0), done);
    await reply;
    await cluster.deleted.at(0);
    expect(cluster.payloads.size).toBe(0);
  });

  it("refuses with 503 while the cluster or the queue is away, and with 429 when full", async () => {
    cluster.show([worker], false);
    await startRouter({ ready: false, requestsMax: 1 });
    const early = await post("/v1/chat/completions", chatBody);
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    cluster.show([worker]);
    await worker.hellos.at(0);
    await expect.poll(() => router?.ready).toBe(true);
    cluster.addError = new DroverError("unavailable", "gone");
    expect((await post("/v1/chat/completions", chatBody)).status).toBe(503);
    cluster.addError = undefined;
    const held = post("/v1/chat/completions", chatBody);
    const { requestId } = await cluster.jobs.at(0);
    const full = await post("/v1/chat/completions", chatBody);
    expect([full.status, full.headers.get("retry-after")]).toEqual([429, "1"]);
    worker.send(requestId, 0, started(0), end(0), done);
    expect((await held).status).toBe(200);
  });

  it("every fault of HTTP itself has OpenAI's error shape", async () => {
    await startRouter();
    const shape = async (reply: Response) => [
      reply.status,
      ((await reply.json()) as ReturnType<typeof JSON.parse>).error.code,
    ];
    expect(await shape(await fetch(`${url}/nope`))).toEqual([404, "not_found"]);
    expect(await shape(await post("/v1/completions", "{"))).toEqual([400, "invalid_argument"]);
    const bytes = await post("/v1/completions", "", { body: Uint8Array.of(0x22, 0xff, 0x22) });
    expect(await shape(bytes)).toEqual([400, "invalid_argument"]);
    const large = await post("/v1/completions", "", { body: new Uint8Array(33 * 1024 * 1024) });
    expect(await shape(large)).toEqual([413, "payload_too_large"]);
    const nan = (await (await post("/v1/completions", '{"temperature": NaN}')).json()) as ReturnType<typeof JSON.parse>;
    expect(nan.error.param).toBe("temperature");
  });

  it("with API keys, nobody gets in without one", async () => {
    await startRouter({ keys: ["secret"] });
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    const headers = { authorization: "Bearer secret" };
    expect((await fetch(`${url}/v1/models`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it("gRPC streams the same answer, and names the field at fault", async () => {
    await startRouter();
    using client = new RpcClient(grpc);
    const request = create(publicApi.ChatRequestSchema, { model: "tiny", messages: [{ role: "user", content: "hi" }] });
    const call = client.serverStream(publicApi.Inference.method.chat, request);
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    worker.sendText(requestId, 0, "ok");
    worker.send(requestId, 0, end(2), done);
    const replies: publicApi.GenerateReply[] = [];
    for await (const reply of call) replies.push(reply);
    expect(replies.map(({ text }) => text).join("")).toBe("ok");
    expect(replies[0]?.promptTokenIds).toHaveLength(9);
    expect(replies.at(-1)?.usage).toMatchObject({ promptTokens: 9, completionTokens: 3 });
    const bad = create(publicApi.TokenizeRequestSchema, { model: "other", input: { case: "text", value: "a" } });
    await expect(client.unary(publicApi.Inference.method.tokenize, bad, neverAborted)).rejects.toMatchObject({
      code: "model_not_found",
      field: "model",
    });
  });
});
