import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";

/** What is done to a process: it is killed, stopped for a while, or kept at a tenth of its speed for a while. */
export const STRIKES = ["kill", "stop", "slow"] as const;
export type Strike = (typeof STRIKES)[number];

/** Of the slow one: it is stopped for nine tenths of each. */
const PERIOD_MS = 100;

/** Strikes the processes whose command lines contain these texts, all at once, and resolves when each is itself again, or another one in its place. */
export async function strikeAll(
  cluster: TestCluster,
  victims: readonly string[],
  strike: Strike,
  ms: number,
): Promise<void> {
  await Promise.all(victims.map((victim) => strikeOne(cluster, victim, strike, ms)));
}

async function strikeOne(cluster: TestCluster, victim: string, strike: Strike, ms: number): Promise<void> {
  const [pid] = cluster.pids(victim);
  if (pid === undefined) throw new Error(`no process runs ${victim}`);
  if (strike === "kill") {
    process.kill(pid, "SIGKILL");
    while (!cluster.pids(victim).some((other) => other !== pid)) await sleep(50);
  } else if (strike === "stop") {
    process.kill(pid, "SIGSTOP");
    await sleep(ms);
    process.kill(pid, "SIGCONT");
  } else {
    for (const endMs = performance.now() + ms; performance.now() < endMs; ) {
      process.kill(pid, "SIGSTOP");
      await sleep(0.9 * PERIOD_MS);
      process.kill(pid, "SIGCONT");
      await sleep(0.1 * PERIOD_MS);
    }
  }
}
