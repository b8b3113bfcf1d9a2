import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

const PASSWORD = "correct-horse-battery";

describe.skipIf(binary === undefined)("a Redis with a password (needs Redis)", () => {
  test("serves, survives its restart, and the password is in no output, page or command line", {
    timeout: 120_000,
  }, async () => {
    await using redis = new TestRedis(binary ?? "", await freePort(), "127.0.0.1", PASSWORD);
    await redis.start();
    await using cluster = await TestCluster.start({
      queue: "redis",
      expertWorkers: 1,
      env: { REDIS_URL: redis.url },
      flags: ["--verbose"],
    });
    const ask = async () => {
      const messages = [{ role: "user", content: "What is the capital of France?" }];
      const response = await cluster.post("/v1/chat/completions", { model: "nano", messages, temperature: 0 });
      return response.text();
    };
    expect(await ask()).toMatch(/Paris/);
    await redis.stop();
    const meanwhile = ask();
    await redis.start();
    expect(await meanwhile).toMatch(/Paris/);

    const pages = ["/metrics", "/debug/cluster", "/ready"].map(async (path) =>
      (await fetch(cluster.url + path)).text(),
    );
    for (const text of [cluster.output, ...(await Promise.all(pages))]) expect(text).not.toContain(PASSWORD);
    expect(cluster.pids("main.ts")).not.toEqual([]);
    expect(cluster.pids(PASSWORD)).toEqual([]);
  });
});
