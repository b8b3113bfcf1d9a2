import { type Lane, requestId, workerId } from "@drover/core";
import { sampleHashes } from "@drover/fleet";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, BlockHashes } from "@drover/kv";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QUEUE_WAIT_MS_MAX_DEFAULT } from "./limits.ts";
import { RouterScene } from "./testing/router-scene.ts";

const lane = (name: Lane, waitMs: number, msPerJob = 0) => ({
  lane: name,
  waitingCount: 1,
  oldestAgeMs: 0,
  predictedWaitMs: waitMs,
  waitMsPerJob: msPerJob,
});

let scene = new RouterScene();

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter({ requestsMax: 16 });
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const complete = (body: object, signal?: AbortSignal) =>
  scene.post("/v1/completions", { model: "tiny", max_tokens: 1, ...body }, { ...(signal && { signal }) });

/** The lanes as the router has them now. */
async function showLanes(...lanes: ReturnType<typeof lane>[]): Promise<void> {
  scene.cluster.show([scene.worker], true, 1n, lanes);
  for (;;) {
    const state = (await (await fetch(`${scene.url}/debug/cluster`)).json()) as { lanes: unknown[] };
    if (state.lanes.length === lanes.length) return;
  }
}

describe("the router and placement", () => {
  it("a job carries the chain of its prompt: all of it for the worker, a sample for the scheduler", async () => {
    const prompt = Array.from({ length: 300 * BLOCK_TOKENS + 5 }, (_, i) => i % 250);
    const left = new AbortController();
    complete({ prompt }, left.signal).catch(() => undefined);
    const job = await scene.cluster.jobs.at(0);
    left.abort();
    const chain = new BlockHashes({ modelFingerprint: "tiny fingerprint", salt: "" });
    chain.append(prompt);
    const { blockHashes } = scene.cluster.request(job.payload);
    expect(Buffer.from(blockHashes).equals(chain.wire)).toBe(true);
    expect(Buffer.from(job.blockHashes).equals(sampleHashes(chain.wire))).toBe(true);
    expect(job.blockHashes.byteLength).toBe((256 + 22) * BLOCK_HASH_BYTES);
  });

  it("who asks for facts of the prompt is not placed by its cache, but fills it", async () => {
    const left = new AbortController();
    complete({ prompt: Array(100).fill(1), echo: true, logprobs: 1 }, left.signal).catch(() => undefined);
    const job = await scene.cluster.jobs.at(0);
    left.abort();
    expect(job.blockHashes.byteLength).toBe(0);
    expect(scene.cluster.request(job.payload).blockHashes.byteLength).toBe(BLOCK_HASH_BYTES);
  });

  it("what would wait too long is refused with the time after which it would not, and only in its lane", async () => {
    await showLanes(lane("long", QUEUE_WAIT_MS_MAX_DEFAULT + 30_000), lane("short", 10));
    const refused = await complete({ prompt: Array(3000).fill(1) });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("30");
    expect(await refused.json()).toMatchObject({ error: { code: "overloaded" } });
    const left = new AbortController();
    complete({ prompt: [1, 2, 3] }, left.signal).catch(() => undefined);
    expect((await scene.cluster.jobs.at(0)).lane).toBe("short");
    left.abort();
    expect(await scene.metrics()).toMatch(/drover_router_refused_for_wait_total\{[^}]*lane="long"[^}]*\} 1/);
  });

  it("what it has added itself since the last state counts before the next request", async () => {
    await showLanes(lane("short", QUEUE_WAIT_MS_MAX_DEFAULT - 1000, 1000));
    const left = new AbortController();
    for (let i = 0; i < 2; i++) complete({ prompt: [1, 2, 3] }, left.signal).catch(() => undefined);
    await scene.cluster.jobs.at(1);
    expect((await complete({ prompt: [1, 2, 3] })).status).toBe(429);
    left.abort();
  });

  it("says why a request went where it went, by the id of its answer", async () => {
    const w = workerId("w");
    const time = { queueMs: 2.5, prefillMs: 0, loadMs: 0 };
    const candidates = [{ workerId: w, refusal: undefined, time, cachedTokenCount: 0, kvBytesFree: 1 }];
    const when = { firstAtMs: 1, lastAtMs: 1, times: 1, outcome: "accepted" };
    const decision = { attempt: 0, kind: "worker", workerId: w, reason: "", candidates, candidateCount: 1 } as const;
    scene.cluster.decisions.set("one", [
      { requestId: requestId("one"), lane: "short", promptTokenCount: 1, ...decision, ...when },
    ]);
    const reply = await fetch(`${scene.url}/debug/placement?request=chatcmpl-one`);
    expect(await reply.json()).toMatchObject({
      decisions: [{ kind: "worker", workerId: "w", candidates: [{ queueMs: 2.5 }] }],
    });
    expect((await fetch(`${scene.url}/debug/placement?request=two`)).status).toBe(404);
    expect((await fetch(`${scene.url}/debug/placement`)).status).toBe(400);
  });
});
