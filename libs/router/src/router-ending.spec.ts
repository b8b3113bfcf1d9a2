import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const body = { model: "tiny", prompt: "hi", stream: true };

let scene = new RouterScene();
let moments = { asked: new AbortController(), refusing: new AbortController(), over: new AbortController() };

beforeEach(async () => {
  moments = { asked: new AbortController(), refusing: new AbortController(), over: new AbortController() };
  const { asked, refusing, over } = moments;
  await scene.startCluster();
  await scene.startRouter({ ending: { asked: asked.signal, refusing: refusing.signal, over: over.signal } });
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

/** A stream whose first token is there. */
async function running(index = 0) {
  const reply = scene.post("/v1/completions", body);
  const { requestId } = await scene.cluster.jobs.at(index);
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, "a");
  return { requestId, response: await reply };
}

const drainedCount = async (outcome: string) =>
  Number(
    new RegExp(`_drained_requests_total\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)`).exec(await scene.metrics())?.[1],
  );

describe("a router that is asked to end", () => {
  it("is not ready, still takes what comes, and has its clients connect anew", async () => {
    moments.asked.abort();
    expect(scene.router?.ready).toBe(false);
    expect((await fetch(`${scene.url}/ready`)).status).toBe(503);
    const { requestId, response } = await running();
    expect([response.status, response.headers.get("connection")]).toEqual([200, "close"]);
    scene.worker.send(requestId, 0, end(1), done);
    expect(await response.text()).toContain("[DONE]");
  });

  it("refuses new requests once it refuses, over HTTP and gRPC, and says when to come back", async () => {
    moments.asked.abort();
    moments.refusing.abort();
    const refused = await scene.post("/v1/completions", body);
    expect(refused.status).toBe(503);
    expect([refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual(["1", "close"]);
    expect(((await refused.json()) as Json).error).toMatchObject({ code: "unavailable", type: "server_error" });
    using client = new RpcClient(scene.grpc);
    const call = client.serverStream(
      publicApi.Inference.method.generate,
      create(publicApi.GenerateRequestSchema, { model: "tiny", prompt: { case: "text", value: "hi" } }),
    );
    const error = await new Promise<{ code: number }>((resolve) => call.on("error", resolve).resume());
    expect(error.code).toBe(14);
  });

  it("has drained as soon as what runs has finished, and counts it", async () => {
    const { requestId, response } = await running();
    const drained = scene.router?.drained();
    moments.asked.abort();
    moments.refusing.abort();
    scene.worker.sendText(requestId, 0, "b", 1);
    scene.worker.send(requestId, 0, end(2), done);
    expect(await response.text()).toContain("[DONE]");
    await drained;
    expect([await drainedCount("finished"), await drainedCount("cut")]).toEqual([1, 0]);
  });

  it("tells what outlives it to ask again, in the stream, before the connection ends", async () => {
    const { response } = await running();
    const drained = scene.router?.drained();
    for (const moment of Object.values(moments)) moment.abort();
    await drained;
    expect([await drainedCount("finished"), await drainedCount("cut")]).toEqual([0, 1]);
    await scene.router?.close();
    const text = await response.text();
    expect(text).toMatch(/data: \{"error":\{.*"code":"unavailable"/);
    expect(text).not.toContain("[DONE]");
  });
});

describe("a router that is not ready", () => {
  it("says why, and does not turn away who comes because of its queue", async () => {
    const other = new RouterScene();
    await other.startCluster();
    let trouble: string | null = "the queue's Redis cannot be reached";
    await other.startRouter({ ready: false, readyWaitMsMax: 100, queueTrouble: () => trouble });
    await expect.poll(() => other.router?.unready).toBe(trouble);
    const reply = other.post("/v1/completions", body);
    const { requestId } = await other.cluster.jobs.at(0);
    other.worker.send(requestId, 0, started(0), end(0), done);
    expect((await reply).status).toBe(200);
    trouble = null;
    expect(other.router?.ready).toBe(true);
    other.cluster.show([other.worker], false);
    await expect.poll(() => other.router?.unready).toContain("the cluster cannot serve");
    await other.stop();
  });
});
