import { ATTEMPT_STRIDE } from "@drover/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeWorker } from "./testing/fake-cluster.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const chatBody = { model: "tiny", messages: [{ role: "user", content: "hi" }] };

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

describe("a router that loses a worker or its leader", () => {
  it("a lost worker's request goes on at the next token elsewhere, and a late sign of the old attempt is cancelled", async () => {
    const other = await new FakeWorker("v").start();
    scene.cluster.show([scene.worker, other]);
    await scene.startRouter();
    await other.hellos.at(0);
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "ab");
    const next = new FakeWorker("w", "2");
    await next.start();
    await expect.poll(() => scene.router?.ready).toBe(true);
    // The tokens must have arrived before the worker is lost: a refusal of the same attempt's copy proves the order.
    scene.worker.send(requestId, 0, {
      case: "failed",
      value: { code: "unavailable", message: "lost", retryable: true },
    });
    const again = await scene.cluster.jobs.at(1);
    expect(again).toMatchObject({ requestId, attemptBase: ATTEMPT_STRIDE, front: true });
    expect(scene.cluster.request(again.payload).delivered[0]?.tokenIds).toEqual([97, 98]);
    scene.cluster.show([next, other]);
    other.send(requestId, 0, started(0));
    expect(await other.cancels.at(0)).toMatchObject({ requestId, attempt: 0 });
    other.send(requestId, ATTEMPT_STRIDE, started(2));
    other.sendText(requestId, ATTEMPT_STRIDE, "c", 2);
    other.send(requestId, ATTEMPT_STRIDE, end(3), done);
    const body = (await (await reply).json()) as Json;
    expect(body.choices[0].message.content).toBe("abc");
    other.stop();
    next.stop();
  });

  it("another incarnation of a worker means that its requests are added again", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "a");
    const next = await new FakeWorker("w", "2").start();
    // A second request's cancel travels behind the first one's tokens: when it is back, they were taken.
    scene.worker.send("nobody", 0, started(0));
    await scene.worker.cancels.at(0);
    scene.cluster.show([next]);
    const again = await scene.cluster.jobs.at(1);
    expect(scene.cluster.request(again.payload).delivered[0]?.tokenIds).toEqual([97]);
    await next.hellos.at(0);
    next.send(requestId, again.attemptBase, started(1), end(1), done);
    expect((await reply).status).toBe(200);
    next.stop();
  });

  it("a frozen worker's request goes on elsewhere though its stream stands, and what it says when it wakes changes nothing", async () => {
    const other = await new FakeWorker("v").start();
    scene.cluster.show([scene.worker, other]);
    await scene.startRouter();
    await other.hellos.at(0);
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "ab");
    scene.worker.send("nobody", 0, started(0));
    await scene.worker.cancels.at(0);
    scene.worker.frozen = true;
    scene.cluster.show([scene.worker, other]);
    const again = await scene.cluster.jobs.at(1);
    expect(again).toMatchObject({ requestId, attemptBase: ATTEMPT_STRIDE, front: true });
    expect(scene.cluster.request(again.payload).delivered[0]?.tokenIds).toEqual([97, 98]);
    // It wakes: it is told to stop, and its next tokens are nobody's.
    expect(await scene.worker.cancels.at(1)).toMatchObject({ requestId, attempt: 0 });
    scene.worker.sendText(requestId, 0, "xyz", 2);
    scene.worker.send(requestId, 0, end(5), done);
    scene.worker.frozen = false;
    scene.cluster.show([scene.worker, other]);
    other.send(requestId, ATTEMPT_STRIDE, started(2));
    other.sendText(requestId, ATTEMPT_STRIDE, "c", 2);
    other.send(requestId, ATTEMPT_STRIDE, end(3), done);
    const body = (await (await reply).json()) as Json;
    expect(body.choices[0].message.content).toBe("abc");
    expect(scene.cluster.jobs.all).toHaveLength(2);
    other.stop();
  });

  it("a frozen worker's request waits for it where nobody else decodes", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.frozen = true;
    scene.cluster.show([scene.worker]);
    scene.worker.frozen = false;
    scene.cluster.show([scene.worker]);
    scene.worker.sendText(requestId, 0, "a");
    scene.worker.send(requestId, 0, end(1), done);
    const body = (await (await reply).json()) as Json;
    expect(body.choices[0].message.content).toBe("a");
    expect(scene.cluster.jobs.all).toHaveLength(1);
  });

  it("a stream that breaks and comes back resumes at the next index", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    scene.worker.sendText(requestId, 0, "ab");
    scene.worker.send("nobody", 0, started(0));
    await scene.worker.cancels.at(0);
    scene.worker.breakStream();
    const hello = await scene.worker.hellos.at(1);
    expect(hello.resumes).toMatchObject([{ requestId, attempt: 0, nextIndices: [2], started: true }]);
    scene.worker.sendText(requestId, 0, "abc");
    scene.worker.send(requestId, 0, end(3), done);
    const body = (await (await reply).json()) as Json;
    expect(body.choices[0].message.content).toBe("abc");
    expect(scene.cluster.jobs.all).toHaveLength(1);
  });

  it("with the queue in the scheduler, a new leader gets what nobody has begun", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/chat/completions", chatBody);
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.cluster.show([scene.worker], true, 2n);
    const again = await scene.cluster.jobs.at(1);
    expect(again).toMatchObject({ requestId, attemptBase: ATTEMPT_STRIDE, front: true });
    scene.worker.send(requestId, ATTEMPT_STRIDE, started(0), end(0), done);
    expect((await reply).status).toBe(200);
  });
});
