import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { type KillReport, killUnderLoad, knownAnswers } from "./kill-under-load.ts";
import { TestCluster } from "./test-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

function expectHonest(what: string, report: KillReport, cluster: TestCluster): void {
  const errors = [...report.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
  const recovery = report.recoveryMs.map((ms) => `${Math.round(ms)} ms`).join(", ");
  console.log(
    `${what} killed ${report.kills} times: ${report.right} right, errors: ${errors}; answered again after ${recovery}`,
  );
  expect(report.violations, cluster.output).toEqual([]);
  expect(report.recoveryMs).toHaveLength(report.kills);
  expect(report.right).toBeGreaterThan(report.kills);
}

describe("kill -9 under load never makes an answer wrong, shortened or repeated", () => {
  test("an expert worker, three times", async () => {
    await using cluster = await TestCluster.start({ expertWorkers: 4 });
    const answers = await knownAnswers(cluster);
    expectHonest(
      "an expert worker",
      await killUnderLoad(cluster, answers, { victim: "--worker-id=experts-1", kills: 3 }),
      cluster,
    );
  });

  test("an attention worker of two, three times", async () => {
    await using cluster = await TestCluster.start({ expertWorkers: 2, attentionWorkers: 2 });
    const answers = await knownAnswers(cluster);
    expectHonest(
      "an attention worker",
      await killUnderLoad(cluster, answers, { victim: "--worker-id=attention-0", kills: 3 }),
      cluster,
    );
  });

  test.skipIf(binary === undefined)("the scheduler with Redis, twice (needs Redis)", async () => {
    await using redis = new TestRedis(binary ?? "", await freePort());
    await redis.start();
    await using cluster = await TestCluster.start({ expertWorkers: 2, queue: redis.url });
    const answers = await knownAnswers(cluster);
    expectHonest(
      "the scheduler",
      await killUnderLoad(cluster, answers, { victim: "apps/scheduler/", kills: 2 }),
      cluster,
    );
  });
});
