import { redisBinary } from "@drover/testkit";
import { expect, test } from "vitest";
import { KnownAnswers } from "./known-answers.ts";
import { TestCluster } from "./test-cluster.ts";

const KILLS = Number(process.env.DROVER_KILLS ?? 3);

/** Kills one process of the kind after another under load. Wrong answers are never allowed, errors are. */
async function killUnderLoad(cluster: TestCluster, victims: readonly string[]): Promise<void> {
  const load = new KnownAnswers(cluster);
  await load.learn();
  const stop = new AbortController();
  const running = load.run(8, stop.signal);
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const name = victims[kill % victims.length] ?? "";
      const [pid] = cluster.pids(name);
      if (pid === undefined) throw new Error(`no process has ${name} in its command line`);
      process.kill(pid, "SIGKILL");
      await load.recovered();
      await cluster.ready();
      await expect.poll(() => cluster.pids(name).some((other) => other !== pid), { timeout: 30_000 }).toBe(true);
    }
  } finally {
    stop.abort();
    await running;
  }
  console.log(`${KILLS} kills of ${victims.join(", ")}: ${JSON.stringify(load.counts)}`);
  expect(load.wrongs).toEqual([]);
  expect(load.counts.wrong).toBe(0);
  expect(load.counts.right).toBeGreaterThan(KILLS);
}

test("killing expert workers under load never gives a wrong answer, and the cluster answers again", {
  timeout: 1_200_000,
}, async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 4 });
  await killUnderLoad(cluster, ["--worker-id=experts-1", "--worker-id=experts-3", "--worker-id=experts-0"]);
});

test("killing attention workers under load never gives a wrong answer, and the cluster answers again", {
  timeout: 1_200_000,
}, async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 2, attentionWorkers: 2 });
  await killUnderLoad(cluster, ["--worker-id=attention-0", "--worker-id=attention-1"]);
});

const redis = redisBinary();
if (redis === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

test.skipIf(redis === undefined)(
  "killing the scheduler under load never gives a wrong answer (needs Redis)",
  { timeout: 1_200_000 },
  async () => {
    await using cluster = await TestCluster.start({ expertWorkers: 2, queue: "auto" });
    await killUnderLoad(cluster, ["apps/scheduler/src/main.ts"]);
  },
);
