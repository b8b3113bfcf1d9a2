import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openRedis } from "@drover/queue";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { killUnderLoad, knownAnswers, strikeUnderLoad } from "../tests/e2e/kill-under-load.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * Strikes one part of a cluster again and again under eight greedy streams whose right texts are known, and says what came of
 * them: `chaos.ts --victim experts|attention|scheduler|redis|redis-frozen|redis-flushed --kills 50`. The wait before a restart doubles up to
 * 10 s for who did not serve meanwhile. A pause is the longest between two tokens of a stream. Redis is killed and started again at once, frozen for `--freeze` milliseconds, or emptied.
 */
const VICTIMS = {
  experts: "--worker-id=experts-1",
  attention: "--worker-id=attention-0",
  scheduler: "apps/scheduler/",
} as const;
const REDIS_VICTIMS = ["redis", "redis-frozen", "redis-flushed"];
const { values } = parseArgs({
  options: {
    victim: { type: "string", default: "experts" },
    kills: { type: "string", default: "50" },
    freeze: { type: "string", default: "20000" },
    "expert-workers": { type: "string", default: "4" },
    signal: { type: "string", default: "KILL" },
    flags: { type: "string", default: "" },
    "attention-workers": { type: "string", default: "1" },
  },
});
const { victim: name } = values;
const victim = VICTIMS[name as keyof typeof VICTIMS];
const strikesRedis = REDIS_VICTIMS.includes(name);
if (victim === undefined && !strikesRedis)
  throw new Error(`--victim must be one of ${[...Object.keys(VICTIMS), ...REDIS_VICTIMS].join(", ")}`);
const binary = redisBinary();
const needsRedis = name === "scheduler" || strikesRedis;
if (needsRedis && binary === undefined)
  throw new Error("this needs redis-server or valkey-server: the embedded queue lives in the scheduler");

await using redis = new TestRedis(binary ?? "", await freePort());
if (needsRedis) await redis.start();
await using cluster = await TestCluster.start({
  expertWorkers: Number(values["expert-workers"]),
  attentionWorkers: Number(values["attention-workers"]),
  queue: needsRedis ? redis.url : "embedded",
  flags: values.flags.split(" ").filter(Boolean),
});

/** What is done to Redis, to its end. */
async function strikeRedis(): Promise<() => boolean> {
  if (name === "redis-frozen") {
    redis.signal("SIGSTOP");
    await sleep(Number(values.freeze));
    redis.signal("SIGCONT");
  } else if (name === "redis-flushed") {
    const control = openRedis(redis.url, { producer: false });
    await control.flushall();
    control.disconnect();
  } else {
    await redis.stop();
    await redis.start();
  }
  return () => true;
}

const answers = await knownAnswers(cluster);
const onStrike = (kill: number, ms: number) => console.error(`kill ${kill}: answered again after ${Math.round(ms)} ms`);
const strikes = Number(values.kills);
const isFrozen = values.signal === "STOP";
/** Freezes the victim for a while. */
async function freeze(text: string): Promise<() => boolean> {
  const [pid] = cluster.pids(text);
  if (pid === undefined) throw new Error(`no process runs ${text}`);
  process.kill(pid, "SIGSTOP");
  await sleep(Number(values.freeze));
  process.kill(pid, "SIGCONT");
  return () => true;
}
const report =
  isFrozen && victim !== undefined
    ? await strikeUnderLoad(cluster, answers, { name, strike: () => freeze(victim), strikes, onStrike })
    : victim === undefined
      ? await strikeUnderLoad(cluster, answers, { name, strike: strikeRedis, strikes, onStrike })
      : await killUnderLoad(cluster, answers, { victim, kills: strikes, onKill: onStrike });

/** The value below which the given part of them lies; 0 of none. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}

const { recoveryMs, pausesMs } = report;
const errors = [...report.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
console.log(`| victim | kills | right streams | wrong streams | errors | recovery median ms | most | pause median ms | p99 | most |
|---|---|---|---|---|---|---|---|---|---|
| ${name} | ${report.kills} | ${report.right} | ${report.violations.length} | ${errors} | ${quantile(recoveryMs, 0.5)} | ${quantile(recoveryMs, 1)} | ${quantile(pausesMs, 0.5)} | ${quantile(pausesMs, 0.99)} | ${quantile(pausesMs, 1)} |`);
for (const violation of report.violations) console.log(violation);
process.exitCode = report.violations.length === 0 ? 0 : 1;
