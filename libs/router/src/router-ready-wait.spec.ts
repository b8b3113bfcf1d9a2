import { DroverError } from "@drover/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const body = { model: "tiny", prompt: [200], max_tokens: 1 };

describe("a cluster that cannot serve for a while", () => {
  let scene: RouterScene;
  const waiting = async () =>
    Number(/^drover_router_requests_waiting_for_cluster\{[^}]*\} (\d+)/m.exec(await scene.metrics())?.[1]);

  beforeEach(async () => {
    scene = new RouterScene();
    await scene.startCluster();
    scene.cluster.show([scene.worker], false);
  });
  afterEach(() => scene.stop());

  it("keeps who comes meanwhile, and serves them when it is back", async () => {
    await scene.startRouter({ ready: false, readyWaitMsMax: 60_000 });
    const replies = [scene.post("/v1/completions", body), scene.post("/v1/completions", body)];
    await expect.poll(waiting).toBe(2);
    scene.cluster.show([scene.worker]);
    for (const i of [0, 1]) {
      const { requestId } = await scene.cluster.jobs.at(i);
      scene.worker.send(requestId, 0, started(0), end(0), done);
    }
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await waiting()).toBe(0);
  });

  it("keeps who comes while its queue takes nothing", async () => {
    scene.cluster.show([scene.worker]);
    let trouble: string | null = "away";
    await scene.startRouter({ ready: false, queueTrouble: () => trouble });
    const reply = scene.post("/v1/completions", body);
    await expect.poll(waiting).toBe(1);
    trouble = null;
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0), end(0), done);
    expect((await reply).status).toBe(200);
  });

  it("keeps who is refused by the queue, for lack of memory or a leader, and asks it again", async () => {
    scene.cluster.show([scene.worker]);
    await scene.startRouter({ readyWaitMsMax: 60_000 });
    scene.cluster.addError = new DroverError("unavailable", "full");
    const reply = scene.post("/v1/completions", body);
    await expect.poll(waiting).toBe(1);
    scene.cluster.addError = undefined;
    const { requestId, attemptBase, front } = await scene.cluster.jobs.at(0);
    expect([attemptBase > 0, front]).toEqual([true, false]);
    scene.worker.send(requestId, attemptBase, started(0), end(0), done);
    expect((await reply).status).toBe(200);
    expect(await scene.metrics()).not.toMatch(/drover_router_failures_total\{[^}]*\} [1-9]/);
  });

  it("tells who was refused by the queue all the time when to come back, and takes everything back", async () => {
    scene.cluster.show([scene.worker]);
    await scene.startRouter({ readyWaitMsMax: 700 });
    scene.cluster.addError = new DroverError("unavailable", "full");
    const reply = await scene.post("/v1/completions", body);
    expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await reply.json()).toMatchObject({
      error: { code: "unavailable", message: "the queue cannot be reached" },
    });
    expect(await scene.cluster.queueCancels.at(0)).not.toBe("");
  });

  it("does not keep who is refused for another reason than a queue that is away", async () => {
    scene.cluster.show([scene.worker]);
    await scene.startRouter({ readyWaitMsMax: 60_000 });
    scene.cluster.addError = new DroverError("overloaded", "the short lane is full");
    expect((await scene.post("/v1/completions", body)).status).toBe(429);
  });

  it("keeps who comes once the scheduler with the queue is gone, however fresh its last state", async () => {
    scene.cluster.show([scene.worker]);
    await scene.startRouter({ readyWaitMsMax: 60_000 });
    scene.cluster.leave();
    await expect.poll(() => scene.router?.unready).toMatch(/the scheduler/);
    const reply = scene.post("/v1/completions", body);
    await expect.poll(waiting).toBe(1);
    expect(scene.cluster.jobs.all).toEqual([]);
    await scene.router?.close();
    expect((await reply).status).toBe(503);
  });

  it("refuses bad input at once", async () => {
    await scene.startRouter({ ready: false, readyWaitMsMax: 60_000 });
    expect((await scene.post("/v1/completions", { ...body, max_tokens: -1 })).status).toBe(400);
  });

  it("forgets who leaves, and refuses with 503 who has waited long enough", async () => {
    await scene.startRouter({ ready: false, readyWaitMsMax: 300 });
    const client = new AbortController();
    const left = scene.post("/v1/completions", body, { signal: client.signal });
    await expect.poll(waiting).toBe(1);
    client.abort();
    await expect(left).rejects.toThrow();
    await expect.poll(waiting).toBe(0);
    const reply = await scene.post("/v1/completions", body);
    expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  it("is not waited for by a router that ends", async () => {
    await scene.startRouter({ ready: false, readyWaitMsMax: 60_000 });
    const reply = scene.post("/v1/completions", body);
    await expect.poll(waiting).toBe(1);
    await scene.router?.close();
    expect((await reply).status).toBe(503);
  });
});
