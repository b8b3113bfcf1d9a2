import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisBinary } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const hasRedis = redisBinary() !== undefined;
if (!hasRedis && process.env.CI) throw new Error("these tests need redis-server or valkey-server");
const QUEUE = hasRedis ? "redis" : "embedded";

/** Whether the process lives; one that nobody has reaped yet does not. */
function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z";
  } catch {
    // It ended between the look and the reading.
    return false;
  }
}

const alive = (pids: readonly number[]) => pids.filter(isAlive);

test("kill -9 of `drover up` leaves no process behind, not even the Redis that it started", async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 2, queue: QUEUE });
  const pids = cluster.pids("");
  if (hasRedis) expect(cluster.pids("-server").length).toBeGreaterThan(0);
  expect(alive(pids).length).toBeGreaterThanOrEqual(5);
  cluster.process.kill("SIGKILL");
  await once(cluster.process, "exit");
  await expect.poll(() => alive(pids)).toEqual([]);
});

test("SIGINT ends everything in order, with exit code 0", async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 1, queue: QUEUE });
  await endsInOrder(cluster, "SIGINT");
});

async function endsInOrder(cluster: TestCluster, signal: "SIGINT" | "SIGTERM"): Promise<void> {
  const pids = cluster.pids("");
  const exit = once(cluster.process, "exit");
  cluster.process.kill(signal);
  expect(await exit).toEqual([0, null]);
  await expect.poll(() => alive(pids)).toEqual([]);
}

describe("one cluster with a key file, from its first request to its end", () => {
  const KEY = { authorization: "Bearer sesame" };
  let folder: string;
  let cluster: TestCluster;
  const post = (path: string, body: object, signal?: AbortSignal) =>
    fetch(cluster.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...KEY },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "drover-keys-"));
    const file = join(folder, "keys");
    await writeFile(file, "# for tests\nsesame\n");
    const flags = ["--api-key-file", file];
    cluster = await TestCluster.start({ expertWorkers: 1, queue: QUEUE, flags });
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test("only who knows a key may ask", async () => {
    const ask = async (headers: Record<string, string>) => fetch(`${cluster.url}/v1/models`, { headers });
    const refused = await ask({});
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { code: "unauthenticated" } });
    expect((await ask({ authorization: "Bearer guess" })).status).toBe(401);
    expect((await ask(KEY)).status).toBe(200);
    expect((await cluster.post("/v1/completions", { model: "nano", prompt: "x" })).status).toBe(401);
  });

  test("a client that leaves in mid-stream frees its KV, and whoever stays is not disturbed", async () => {
    const kvBytesUsed = async () => {
      const { load } = (await (await cluster.askMember("attention-0", "GET /debug/worker")).json()) as {
        load: { kvBytesUsed: number };
      };
      return load.kvBytesUsed;
    };
    const body = { model: "nano", prompt: "Once upon a time", ignore_eos: true, max_tokens: 20_000, stream: true };
    const leaving = Array.from({ length: 8 }, () => new AbortController());
    await Promise.all(
      leaving.map(async ({ signal }) => {
        const response = await post("/v1/completions", body, signal);
        // Read once and kept open: it is the abort that leaves.
        expect((await response.body?.getReader().read())?.done).toBe(false);
      }),
    );
    expect(await kvBytesUsed()).toBeGreaterThan(0);
    const staying = post("/v1/completions", { ...body, stream: false, max_tokens: 64 });
    for (const controller of leaving) controller.abort();
    expect((await staying).status).toBe(200);
    await expect.poll(kvBytesUsed).toBe(0);
  });

  test("every killed child is started again, and the cluster answers", async () => {
    for (const victim of ["apps/router/", "apps/scheduler/", "--worker-id=attention-0", "--worker-id=experts-0"]) {
      const [pid] = cluster.pids(victim);
      expect(pid).toBeDefined();
      process.kill(pid ?? 0, "SIGKILL");
      await expect.poll(() => cluster.pids(victim).some((other) => other !== pid)).toBe(true);
      const body = {
        model: "nano",
        messages: [{ role: "user", content: "What is the capital of France?" }],
        temperature: 0,
      };
      const answer = () =>
        post("/v1/chat/completions", body).then(
          (response) => response.text(),
          () => "",
        );
      await expect.poll(answer).toContain("The capital of France is Paris.");
    }
  });

  test("SIGTERM ends everything in order, with exit code 0", () => endsInOrder(cluster, "SIGTERM"));
});
