import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANSWER_STEP_BYTES, REQUEST_BYTES } from "./limits.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const KIB = 1024;

/** Bytes of a kind that are kept, as the router's metrics have them. */
async function kept(kind: string): Promise<number> {
  const pattern = new RegExp(`^drover_router_memory_bytes\\{[^}]*kind="${kind}"[^}]*\\} (\\d+)`, "m");
  return Number(pattern.exec(await scene.metrics())?.[1]);
}

/** Nothing is kept any more. */
async function nothingKept(): Promise<void> {
  for (const kind of ["bodies", "images", "prompts", "answers", "unread"])
    await expect.poll(() => kept(kind), { message: kind }).toBe(0);
}

const completion = (more: object = {}) => ({ model: "tiny", prompt: "x".repeat(5000), max_tokens: 4, ...more });

/** Status and sentence of what is refused. */
async function refusal(body: unknown): Promise<readonly [number, string | null, string]> {
  const reply = await scene.post("/v1/completions", body);
  return [reply.status, reply.headers.get("retry-after"), ((await reply.json()) as Json).error.message];
}

describe("prompts that wait", () => {
  const ONE = REQUEST_BYTES + 5 * 5001;

  it("are refused beyond their bytes before they are queued, by a sentence that says so, and make room however they end", async () => {
    await scene.startRouter({ requestsMax: 8, memory: { prompts: ONE * 1.5 } });
    const ends: readonly ((requestId: string, leave: () => void) => void)[] = [
      (requestId) => scene.worker.send(requestId, 0, started(0), end(0), done),
      (_, leave) => leave(),
      (requestId) =>
        scene.worker.send(requestId, 0, started(0), {
          case: "failed",
          value: { code: "invalid_argument", message: "no", retryable: false },
        }),
    ];
    for (const [index, finish] of ends.entries()) {
      const client = new AbortController();
      const reply = scene.post("/v1/completions", completion(), { signal: client.signal }).catch(() => undefined);
      const { requestId } = await scene.cluster.jobs.at(index);
      expect(await kept("prompts")).toBe(ONE);
      const [status, retryAfter, sentence] = await refusal(completion());
      expect([status, retryAfter]).toEqual([429, "1"]);
      expect(sentence).toContain("prompts' tokens");
      expect(scene.cluster.jobs.all).toHaveLength(index + 1);
      finish(requestId, () => client.abort());
      await (await reply)?.text();
      await nothingKept();
    }
  });

  it("make room when their router ends them", async () => {
    await scene.startRouter({ memory: { prompts: ONE * 2 } });
    const reply = scene.post("/v1/completions", completion());
    await scene.cluster.jobs.at(0);
    const admission = kept("prompts");
    expect(await admission).toBe(ONE);
    await scene.router?.close();
    expect((await reply).status).toBe(503);
  });

  it("count over gRPC as over HTTP", async () => {
    await scene.startRouter({ memory: { prompts: ONE / 2 } });
    using client = new RpcClient(scene.grpc);
    const prompt = { case: "text", value: "x".repeat(5000) } as const;
    const call = client.serverStream(
      publicApi.Inference.method.generate,
      create(publicApi.GenerateRequestSchema, { model: "tiny", prompt }),
    );
    const failed = (async () => {
      for await (const _ of call);
    })();
    await expect(failed).rejects.toThrow(/ MiB of prompts' tokens .*--prompt-memory/);
    await nothingKept();
  });

  it("that are only tokenized count until their client has the answer", async () => {
    await scene.startRouter({ memory: { prompts: 8 * KIB } });
    const refused = await scene.post("/tokenize", { prompt: "x".repeat(5000) });
    expect(refused.status).toBe(413);
    expect(((await refused.json()) as Json).error.message).toContain("--prompt-memory");
    expect((await scene.post("/tokenize", { prompt: "x".repeat(1000) })).status).toBe(200);
    await nothingKept();
  });
});

describe("answers", () => {
  it("that would have no room in a router that has nothing else to do are refused for good, by what to ask less of or raise", async () => {
    await scene.startRouter({ memory: { answers: 60 * KIB } });
    for (const more of [{ max_tokens: 2000 }, { n: 128, max_tokens: 16 }, { prompt_logprobs: 20 }]) {
      const [status, retryAfter, sentence] = await refusal({ ...completion({ max_tokens: undefined }), ...more });
      expect([status, retryAfter]).toEqual([413, null]);
      expect(sentence).toMatch(/ \d+\.\d MiB, and the router keeps 0\.0 MiB of the answers .*--answer-memory/);
    }
    expect(scene.cluster.jobs.all).toHaveLength(0);
    await nothingKept();
  });

  it("that can never be given are refused for good also while their prompt would have to wait", async () => {
    const prompts = REQUEST_BYTES + 5 * 5001;
    await scene.startRouter({ requestsMax: 8, memory: { answers: 60 * KIB, prompts: 1.5 * prompts } });
    const holder = scene.post("/v1/completions", completion());
    const { requestId } = await scene.cluster.jobs.at(0);
    const [status, retryAfter] = await refusal(completion({ max_tokens: 2000 }));
    expect([status, retryAfter]).toEqual([413, null]);
    expect((await refusal(completion()))[0]).toBe(429);
    scene.worker.send(requestId, 0, started(0), end(0), done);
    await (await holder).text();
    await nothingKept();
  });

  it("are reserved as long as they are asked for before anything is queued, and given back when their client has them", async () => {
    await scene.startRouter({ requestsMax: 8, memory: { answers: 60 * KIB } });
    const asked = completion({ max_tokens: 1000 });
    const reply = scene.post("/v1/completions", asked);
    const { requestId } = await scene.cluster.jobs.at(0);
    const [status, retryAfter, sentence] = await refusal(asked);
    expect([status, retryAfter]).toEqual([429, "1"]);
    expect(sentence).toContain("answers");
    expect(scene.cluster.jobs.all).toHaveLength(1);
    // One that asks for less gets in beside it.
    const small = scene.post("/v1/completions", completion({ max_tokens: 4 }));
    const { requestId: smallId } = await scene.cluster.jobs.at(1);
    for (const id of [requestId, smallId]) {
      scene.worker.send(id, 0, started(0));
      scene.worker.sendText(id, 0, "yes");
      scene.worker.send(id, 0, end(3), done);
    }
    for (const one of [reply, small]) expect(((await (await one).json()) as Json).choices[0].text).toBe("yes");
    await nothingKept();
  });

  it("that their client does not read stay counted until it has gone", async () => {
    // A reply of some 20 MB, which no socket takes unread.
    const TOKENS = 9_000;
    await scene.startRouter({ requestsMax: 8 });
    const reader = scene.postUnread({
      ...{ model: "tiny", messages: [{ role: "user", content: "x" }] },
      ...{ logprobs: true, top_logprobs: 20, max_tokens: TOKENS },
    });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    const top = { tokenIds: Array(20).fill(97), logprobs: Array(20).fill(-1) };
    for (let index = 0; index < TOKENS - 1; index++) {
      scene.worker.send(requestId, 0, { case: "token", value: { index, tokenId: 97, top } });
      if (index % 500 === 0) await setImmediate();
    }
    scene.worker.send(requestId, 0, end(TOKENS - 1), done);
    await expect.poll(() => scene.metrics()).toMatch(/^drover_router_requests_in_flight\{.*\} 0$/m);
    expect(await kept("answers")).toBeGreaterThan(5 * ANSWER_STEP_BYTES);
    reader.destroy();
    await nothingKept();
  });
});
