import { parseArgs } from "node:util";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { killUnderLoad, knownAnswers } from "../tests/e2e/kill-under-load.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * Kills one process of a cluster again and again under eight greedy streams whose right texts are known, and says what came of
 * them: `chaos.ts --victim experts|attention|scheduler --kills 50`. The wait before a restart doubles up to 10 s, so fifty kills
 * take ten minutes.
 */
const VICTIMS = {
  experts: "--worker-id=experts-1",
  attention: "--worker-id=attention-0",
  scheduler: "apps/scheduler/",
} as const;
const { values } = parseArgs({
  options: {
    victim: { type: "string", default: "experts" },
    kills: { type: "string", default: "50" },
    "expert-workers": { type: "string", default: "4" },
    "attention-workers": { type: "string", default: "1" },
  },
});
const victim = VICTIMS[values.victim as keyof typeof VICTIMS];
if (victim === undefined) throw new Error(`--victim must be one of ${Object.keys(VICTIMS).join(", ")}`);
const binary = redisBinary();
if (values.victim === "scheduler" && binary === undefined)
  throw new Error("killing the scheduler needs redis-server or valkey-server: the embedded queue lives in it");

await using redis = new TestRedis(binary ?? "", await freePort());
if (values.victim === "scheduler") await redis.start();
await using cluster = await TestCluster.start({
  expertWorkers: Number(values["expert-workers"]),
  attentionWorkers: Number(values["attention-workers"]),
  queue: values.victim === "scheduler" ? redis.url : "embedded",
});
const report = await killUnderLoad(cluster, await knownAnswers(cluster), {
  victim,
  kills: Number(values.kills),
  onKill: (kill, ms) => console.error(`kill ${kill}: answered again after ${Math.round(ms)} ms`),
});
const sorted = [...report.recoveryMs].sort((a, b) => a - b);
const errors = [...report.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
console.log(`| victim | kills | right streams | wrong streams | errors | recovery median ms | most |
|---|---|---|---|---|---|---|
| ${values.victim} | ${report.kills} | ${report.right} | ${report.violations.length} | ${errors} | ${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} | ${Math.round(sorted.at(-1) ?? 0)} |`);
for (const violation of report.violations) console.log(violation);
process.exitCode = report.violations.length === 0 ? 0 : 1;
