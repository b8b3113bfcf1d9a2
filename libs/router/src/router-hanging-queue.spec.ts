import { create } from "@bufbuild/protobuf";
import { at } from "@drover/core";
import { AddJobsReplySchema, JobQueue, publicApi } from "@drover/proto";
import { RemoteQueue } from "@drover/queue";
import { createServer, listen, RpcClient, rpcService } from "@drover/rpc";
import { SimClock } from "@drover/testkit";
import { type Server, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QUEUE_CALL_LIMIT, QUEUE_RETRY_MS, READY_WAIT_MS_MAX_DEFAULT } from "./limits.ts";
import { RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const body = { model: "tiny", messages: [{ role: "user", content: "hi" }], max_tokens: 4 };

const silence = new Promise<never>(() => undefined);

describe("a scheduler that hangs: its queue takes every call and answers none", () => {
  let scene: RouterScene;
  let clock: SimClock;
  let server: Server;
  let client: RpcClient;
  let jobCount: number;
  let added: string[];
  let attempts: number[];
  let answers: boolean;
  let cancelled: string[];

  beforeEach(async () => {
    [clock, jobCount, added, cancelled, server] = [new SimClock(), 0, [], [], createServer()];
    [attempts, answers] = [[], false];
    const service = rpcService(JobQueue, {
      addJobs: ({ jobs }) => {
        jobCount += jobs.length;
        added.push(...jobs.map(({ requestId }) => requestId));
        attempts.push(...jobs.map(({ attemptBase }) => attemptBase));
        return answers ? create(AddJobsReplySchema) : silence;
      },
      cancelJobs: ({ requestIds }) => {
        cancelled.push(...requestIds);
        return silence;
      },
      putPayload: () => silence,
      getPayload: () => silence,
      deletePayloads: () => silence,
    });
    server.addService(...service);
    client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
    scene = new RouterScene();
    await scene.startCluster();
    await scene.startRouter({
      clock,
      readyWaitMsMax: READY_WAIT_MS_MAX_DEFAULT,
      queue: new RemoteQueue(() => client),
    });
  });
  afterEach(async () => {
    await scene.stop();
    client[Symbol.dispose]();
    server.forceShutdown();
  });

  it("is 503 once the wait for it is over, with when to come back, and an error, not clients who left", async () => {
    const replies = [1, 2, 3, 4].map(() => scene.post("/v1/chat/completions", body));
    await expect.poll(() => jobCount).toBe(4);
    let answeredCount = 0;
    for (const reply of replies) void reply.then(() => answeredCount++);
    await clock.advance(READY_WAIT_MS_MAX_DEFAULT - 1);
    // Each was put there again, as a newer attempt.
    await expect.poll(() => jobCount).toBe(8);
    expect(new Set(added).size).toBe(4);
    expect([answeredCount, cancelled]).toEqual([0, []]);
    await clock.advance(1);
    for (const reply of await Promise.all(replies)) {
      expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await reply.json()).toMatchObject({
        error: { code: "unavailable", message: "the queue cannot be reached", type: "server_error" },
      });
    }
    const metrics = await scene.metrics();
    expect(metrics).toMatch(/drover_router_failures_total\{[^}]*code="unavailable"[^}]*\} 4\n/);
    expect(metrics).toMatch(/request_success_total\{[^}]*finished_reason="abort"[^}]*\} 0\n/);
  });

  it("is UNAVAILABLE over gRPC", async () => {
    using caller = new RpcClient(scene.grpc);
    const messages = [{ role: "user", content: "hi" }];
    const call = caller.serverStream(
      publicApi.Inference.method.chat,
      create(publicApi.ChatRequestSchema, { model: "tiny", messages }),
    );
    const ended = Promise.withResolvers<number>();
    call.on("data", () => undefined).on("error", (error: Error & { code: number }) => ended.resolve(error.code));
    await expect.poll(() => jobCount).toBe(1);
    await clock.advance(READY_WAIT_MS_MAX_DEFAULT);
    expect(await ended.promise).toBe(status.UNAVAILABLE);
  });

  it("is found again by the worker that got the job all the same", async () => {
    const reply = scene.post("/v1/chat/completions", body);
    await expect.poll(() => jobCount).toBe(1);
    scene.worker.send(at(added, 0), 0, started(0));
    // In order on one stream: what is stale is answered once what came before it was taken.
    scene.worker.send("another", 0, started(0));
    await scene.worker.cancels.at(0);
    await clock.advance(QUEUE_CALL_LIMIT.ms);
    scene.worker.send(at(added, 0), 0, end(0), done);
    expect((await reply).status).toBe(200);
    expect(cancelled).toEqual([]);
  });

  it("serves who was not answered for, once the queue answers again within that wait", async () => {
    const reply = scene.post("/v1/chat/completions", body);
    await expect.poll(() => jobCount).toBe(1);
    answers = true;
    await clock.advance(QUEUE_CALL_LIMIT.ms + QUEUE_RETRY_MS);
    await expect.poll(() => jobCount).toBe(2);
    const attempt = at(attempts, 1);
    expect(attempt).toBeGreaterThan(at(attempts, 0));
    // What it was first put there as is refused, and changes nothing.
    scene.worker.send(at(added, 0), 0, started(0));
    await scene.worker.cancels.at(0);
    scene.worker.send(at(added, 1), attempt, started(0), end(0), done);
    expect((await reply).status).toBe(200);
  });

  it("is waited for by a payload that is stored first, as long as by its job", async () => {
    const stored: string[] = [];
    scene.cluster.put = (key) => {
      stored.push(key);
      return silence;
    };
    // Tokens above 127, which take two bytes each.
    const reply = scene.post("/v1/completions", { model: "tiny", prompt: "é".repeat(9000), max_tokens: 1 });
    await expect.poll(() => stored.length).toBe(1);
    let isAnswered = false;
    void reply.then(() => {
      isAnswered = true;
    });
    await clock.advance(READY_WAIT_MS_MAX_DEFAULT - 1);
    await expect.poll(() => stored.length).toBe(2);
    expect([isAnswered, jobCount]).toEqual([false, 0]);
    await clock.advance(1);
    expect((await reply).status).toBe(503);
  });

  it("keeps a client who leaves meanwhile one who left, and takes the job back", async () => {
    const leaving = new AbortController();
    const reply = scene.post("/v1/chat/completions", body, { signal: leaving.signal });
    await expect.poll(() => jobCount).toBe(1);
    leaving.abort();
    await expect(reply).rejects.toThrow();
    await expect.poll(() => cancelled.length).toBe(1);
    await clock.advance(2 * QUEUE_CALL_LIMIT.ms);
    const metrics = await scene.metrics();
    expect(metrics).toMatch(/request_success_total\{[^}]*finished_reason="abort"[^}]*\} 1\n/);
    expect(metrics).not.toMatch(/drover_router_failures_total\{[^}]*\} [1-9]/);
  });
});
