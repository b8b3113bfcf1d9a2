import { keyDigest } from "@drover/tenants";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene = new RouterScene();
beforeEach(() => scene.startCluster());
afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const line = (name: string, more: object = {}) =>
  JSON.stringify({ name, key_sha256: keyDigest(`key-${name}`), ...more });
const as = (name: string): RequestInit => ({
  headers: { "content-type": "application/json", authorization: `Bearer key-${name}` },
});
const PROMPT = "a prompt that has whole blocks of tokens, and some more".repeat(10);
const completion = { model: "tiny", prompt: PROMPT, max_tokens: 1 };

/** Asks as a tenant, has it answered, and returns the answer with the job that it was. */
async function answered(name: string, body: object = completion) {
  const index = scene.cluster.jobs.all.length;
  const reply = scene.post("/v1/completions", body, as(name));
  const job = await scene.cluster.jobs.at(index);
  scene.worker.send(job.requestId, 0, started(0), end(0), done);
  return { reply: await reply, job };
}

describe("a router with tenants", () => {
  it("tells each of its limits in every answer, and which one was reached until when", async () => {
    await scene.startRouter({ keys: [line("acme", { requests_per_minute: 2, tokens_per_minute: 10_000 })] });
    const { reply } = await answered("acme");
    expect(reply.status).toBe(200);
    expect(reply.headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(reply.headers.get("x-ratelimit-remaining-requests")).toBe("1");
    await answered("acme");
    const refused = await scene.post("/v1/chat/completions", "{", as("acme"));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(20);
    expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(await refused.json()).toMatchObject({
      error: { code: "rate_limit_exceeded", message: expect.stringContaining("2 requests per minute") },
    });
    const usage = await fetch(`${scene.url}/debug/usage`, as("acme"));
    expect(usage.status).toBe(403);
    expect(await scene.metrics()).toMatch(
      /^drover_router_tenant_refusals_total\{.*limit="requests_per_minute".*tenant="acme".*\} 1$|^drover_router_tenant_refusals_total\{.*tenant="acme".*limit="requests_per_minute".*\} 1$/m,
    );
  });

  it("a prompt counts against the tokens, and one more request at once is refused while one runs", async () => {
    await scene.startRouter({
      keys: [line("acme", { tokens_per_minute: 600 }), line("one", { concurrent_requests: 1 })],
    });
    await answered("acme");
    const second = await scene.post("/v1/completions", completion, as("acme"));
    expect(second.status).toBe(429);
    expect(((await second.json()) as Json).error.message).toContain("600 tokens per minute");
    const running = scene.post("/v1/completions", completion, as("one"));
    const { requestId } = await scene.cluster.jobs.at(1);
    expect((await scene.post("/v1/completions", completion, as("one"))).status).toBe(429);
    scene.worker.send(requestId, 0, started(0), end(0), done);
    expect((await running).status).toBe(200);
    await expect.poll(async () => (await answered("one")).reply.status).toBe(200);
  });

  it("the same prompt of two tenants has no block in common, and of one group all; the queue is told whose it is", async () => {
    await scene.startRouter({
      keys: [line("a"), line("b"), line("c", { group: "a", weight: 3, priority: "low" }), "own"],
      requestsMax: 8,
    });
    const hashes = new Map<string, string>();
    for (const name of ["a", "b", "c"]) {
      const { job } = await answered(name);
      hashes.set(name, Buffer.from(job.blockHashes).toString("hex"));
      expect(job.tenant?.name).toBe(name);
    }
    expect(hashes.get("a")).not.toBe("");
    expect(hashes.get("a")).toBe(hashes.get("c"));
    expect(hashes.get("a")).not.toBe(hashes.get("b"));
    expect(scene.cluster.jobs.all.at(2)?.tenant).toMatchObject({ weight: 3, priority: "low" });
  });

  it("who may not ask a model is not told of it, and what an operator sees needs its right", async () => {
    await scene.startRouter({
      keys: [line("elsewhere", { models: ["other"] }), line("watcher", { rights: ["debug"] }), "key-own"],
    });
    const refused = await scene.post("/v1/completions", completion, as("elsewhere"));
    expect([refused.status, ((await refused.json()) as Json).error.code]).toEqual([404, "model_not_found"]);
    const statuses = async (path: string) =>
      Promise.all(
        ["elsewhere", "watcher", "own"].map(async (name) => (await fetch(scene.url + path, as(name))).status),
      );
    expect(await statuses("/debug/cluster")).toEqual([403, 200, 200]);
    expect(await statuses("/debug/usage")).toEqual([403, 200, 200]);
    expect((await fetch(`${scene.url}/debug/cluster`)).status).toBe(401);
  });

  it("counts what each tenant used", async () => {
    await scene.startRouter({ keys: [line("acme"), "key-own"] });
    await answered("acme");
    const usage = (await (await fetch(`${scene.url}/debug/usage`, as("own"))).json()) as Json;
    expect(usage.tenants).toEqual([expect.objectContaining({ tenant: "acme", requests: 1, generatedTokens: 1 })]);
  });
});

describe("files and batches", () => {
  const entry = JSON.stringify({ custom_id: "one", method: "POST", url: "/v1/completions", body: completion });
  const keys = [line("acme", { rights: ["batches"], group: "a" }), line("other", { rights: ["batches"] }), "key-house"];

  async function upload(name: string): Promise<Json> {
    const form = new FormData();
    form.append("purpose", "batch");
    form.append("file", new Blob([entry]), "requests.jsonl");
    const headers = { authorization: `Bearer key-${name}` };
    return (await fetch(`${scene.url}/v1/files`, { method: "POST", body: form, headers })).json();
  }
  const get = (name: string, path: string, method = "GET") =>
    fetch(scene.url + path, { method, headers: { authorization: `Bearer key-${name}` } });
  const batchOf = (name: string, input_file_id: string) =>
    scene.post("/v1/batches", { input_file_id, endpoint: "/v1/completions", completion_window: "24h" }, as(name));

  it("are found, listed, cancelled and deleted by their own tenant alone, and the batch's requests are its own", async () => {
    await scene.startRouter({ keys });
    const file = await upload("acme");
    for (const stranger of ["other", "house"]) {
      for (const path of [`/v1/files/${file.id}`, `/v1/files/${file.id}/content`])
        expect((await get(stranger, path)).status).toBe(404);
      expect((await get(stranger, `/v1/files/${file.id}`, "DELETE")).status).toBe(404);
      expect((await batchOf(stranger, file.id)).status).toBe(404);
      expect(((await (await get(stranger, "/v1/files")).json()) as Json).data).toEqual([]);
    }
    const index = scene.cluster.jobs.all.length;
    const batch: Json = await (await batchOf("acme", file.id)).json();
    const job = await scene.cluster.jobs.at(index);
    const { job: own } = await answered("acme");
    expect([job.tenant, job.blockHashes]).toEqual([own.tenant, own.blockHashes]);
    for (const stranger of ["other", "house"]) {
      expect((await get(stranger, `/v1/batches/${batch.id}`)).status).toBe(404);
      expect((await get(stranger, `/v1/batches/${batch.id}/cancel`, "POST")).status).toBe(404);
      expect(((await (await get(stranger, "/v1/batches")).json()) as Json).data).toEqual([]);
    }
    scene.worker.send(job.requestId, 0, started(0), end(0), done);
    const ended = async (): Promise<Json> => (await get("acme", `/v1/batches/${batch.id}`)).json();
    await expect.poll(ended).toMatchObject({ status: "completed" });
    const { output_file_id: output } = await ended();
    expect((await get("acme", `/v1/files/${output}/content`)).status).toBe(200);
    expect((await get("other", `/v1/files/${output}/content`)).status).toBe(404);
    const listed: Json = await (await get("acme", "/v1/files")).json();
    expect(listed.data.map(({ id }: { id: string }) => id)).toEqual([output, file.id]);
    expect((await get("acme", `/v1/files/${file.id}`, "DELETE")).status).toBe(200);
  });
});
