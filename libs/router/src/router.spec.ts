import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import { FinishReason, publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const chatBody = { model: "tiny", messages: [{ role: "user", content: "hi" }] };

/** The data of every server-sent event. */
const events = (text: string) =>
  text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => part.replace(/^data: /, ""));

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

describe("Router", () => {
  it("streams the role, the text, why it ended, the usage, and [DONE]", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/chat/completions", {
      ...chatBody,
      stream: true,
      stream_options: { include_usage: true },
    });
    const job = await scene.cluster.jobs.at(0);
    scene.worker.send(job.requestId, 0, started(0));
    scene.worker.sendText(job.requestId, 0, "né");
    scene.worker.send(job.requestId, 0, end(3), done);
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
    await scene.startRouter();
    const reply = scene.post("/v1/completions", { model: "tiny", prompt: "x", stop: "cd", return_token_ids: true });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "abcdef");
    const { choices, usage } = (await (await reply).json()) as Json;
    expect(choices[0]).toMatchObject({ text: "ab", finish_reason: "stop", token_ids: [97, 98, 99, 100] });
    expect(usage.completion_tokens).toBe(4);
    expect((await scene.worker.cancels.at(0)).requestId).toBe(requestId);
  });

  it("echo gives the prompt's log-probabilities first, null for its first token, and experts prompt first", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/completions", {
      model: "tiny",
      prompt: [65, 66],
      echo: true,
      logprobs: 1,
      max_tokens: 1,
      return_routed_experts: true,
    });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(
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
    const { choices } = (await (await reply).json()) as Json;
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
    await scene.startRouter();
    const client = new AbortController();
    const reply = scene.post("/v1/chat/completions", { ...chatBody, stream: true }, { signal: client.signal });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "a");
    await reply;
    client.abort();
    expect(await scene.worker.cancels.at(0)).toMatchObject({ requestId });
    expect(await scene.cluster.queueCancels.at(0)).toBe(requestId);
  });

  it("a failure in mid-stream is an error event without [DONE], and before the first byte a status", async () => {
    await scene.startRouter();
    const stream = scene.post("/v1/chat/completions", { ...chatBody, stream: true });
    const first = await scene.cluster.jobs.at(0);
    const failed = { case: "failed", value: { code: "deadline_exceeded", message: "too late" } } as const;
    scene.worker.send(first.requestId, 0, started(0));
    scene.worker.sendText(first.requestId, 0, "a");
    scene.worker.send(first.requestId, 0, failed);
    const data = events(await (await stream).text());
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "deadline_exceeded", message: "too late" } });
    const early = scene.post("/v1/chat/completions", { ...chatBody, stream: true });
    const second = await scene.cluster.jobs.at(1);
    scene.worker.send(second.requestId, 0, failed);
    expect((await early).status).toBe(504);
  });

  it("a large request goes by reference, and its payload is gone when it ends", async () => {
    await scene.startRouter();
    const prompt = Array.from({ length: 18_000 }, () => 200);
    const reply = scene.post("/v1/completions", { model: "tiny", prompt, max_tokens: 1 });
    const job = await scene.cluster.jobs.at(0);
    expect(job).toMatchObject({ lane: "long", promptTokenCount: 18_000, payload: { kind: "reference" } });
    expect(scene.cluster.request(job.payload).promptTokenIds).toHaveLength(18_000 * 4);
    scene.worker.send(job.requestId, 0, started(0), end(0), done);
    await reply;
    await scene.cluster.deleted.at(0);
    expect(scene.cluster.payloads.size).toBe(0);
  });

  it("refuses with 503 while the cluster or the queue is away, and with 429 when full", async () => {
    scene.cluster.show([scene.worker], false);
    await scene.startRouter({ ready: false, requestsMax: 1, readyWaitMsMax: 5 });
    const early = await scene.post("/v1/chat/completions", chatBody);
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    scene.cluster.show([scene.worker]);
    await scene.worker.hellos.at(0);
    await expect.poll(() => scene.router?.ready).toBe(true);
    scene.cluster.addError = new DroverError("unavailable", "gone");
    expect((await scene.post("/v1/chat/completions", chatBody)).status).toBe(503);
    scene.cluster.addError = undefined;
    const held = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    const full = await scene.post("/v1/chat/completions", chatBody);
    expect([full.status, full.headers.get("retry-after")]).toEqual([429, "1"]);
    scene.worker.send(requestId, 0, started(0), end(0), done);
    expect((await held).status).toBe(200);
  });

  it("every fault of HTTP itself has OpenAI's error shape", async () => {
    await scene.startRouter();
    const shape = async (reply: Response) => [reply.status, ((await reply.json()) as Json).error.code];
    expect(await shape(await fetch(`${scene.url}/nope`))).toEqual([404, "not_found"]);
    expect(await shape(await scene.post("/v1/completions", "{"))).toEqual([400, "invalid_argument"]);
    const bytes = await scene.post("/v1/completions", "", { body: Uint8Array.of(0x22, 0xff, 0x22) });
    expect(await shape(bytes)).toEqual([400, "invalid_argument"]);
    const large = await scene.post("/v1/completions", "", { body: new Uint8Array(33 * 1024 * 1024) });
    expect(await shape(large)).toEqual([413, "payload_too_large"]);
    const nan = (await (await scene.post("/v1/completions", '{"temperature": NaN}')).json()) as Json;
    expect(nan.error.param).toBe("temperature");
  });

  it("with API keys, nobody gets in without one", async () => {
    await scene.startRouter({ keys: ["secret"] });
    expect((await fetch(`${scene.url}/v1/models`)).status).toBe(401);
    const headers = { authorization: "Bearer secret" };
    expect((await fetch(`${scene.url}/v1/models`, { headers })).status).toBe(200);
    expect((await fetch(`${scene.url}/health`)).status).toBe(200);
  });

  it("gRPC streams the same answer, and names the field at fault", async () => {
    await scene.startRouter();
    using client = new RpcClient(scene.grpc);
    const request = create(publicApi.ChatRequestSchema, { model: "tiny", messages: [{ role: "user", content: "hi" }] });
    const call = client.serverStream(publicApi.Inference.method.chat, request);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "ok");
    scene.worker.send(requestId, 0, end(2), done);
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
