// Malformed HTTP and gRPC requests from a grammar of the API, as its own OpenAPI document describes it, at a whole cluster of nano: what came of
// them by status, whether a process of the cluster ended, and how the router's memory went: it rises until V8 collects and falls
// again, so that the least of the run's two halves is compared. Envelope: a request costs the router under a millisecond
// unless it is a good one, of which each takes a step or two: 100,000 are some ten minutes on two cores. Ends with 1 where one was answered with 500,
// by a gRPC code that tells of a bug, or not at all, a process ended, or that least has risen by more than GROWTH_MIB_MAX.
// Usage: node scripts/run.mjs bench/fuzz.ts [--count 100000] [--seed 1] [--at-once 16]
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fuzz } from "../tests/e2e/fuzz/fuzz-run.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    "at-once": { type: "string", default: "16" },
  },
});
const PARTS = 10;
const FAULTS_SHOWN = 10;
/** A level that rose by this much between the halves has not been reached: collections alone move it by less. */
const GROWTH_MIB_MAX = 64;

const residentMiB = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

await using cluster = await TestCluster.start({ expertWorkers: 0, flags: ["--max-requests", "64"] });
const pids = () => cluster.pids("main.ts").join();
const [router = 0] = cluster.pids("router/src/main.ts");
const before = pids();
const counts = new Map<string, number>();
const resident: number[] = [];
let faultCount = 0;
for (let part = 0; part < PARTS; part++) {
  const count = Math.ceil(Number(values.count) / PARTS);
  const seed = Number(values.seed) * PARTS + part;
  const asked = {
    url: cluster.url,
    grpc: `127.0.0.1:${cluster.grpcPort}`,
    seed,
    count,
    atOnce: Number(values["at-once"]),
  };
  const report = await fuzz(asked);
  for (const [what, times] of report.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  for (const { what, sent } of report.faults.slice(0, FAULTS_SHOWN))
    console.log(`${what}: ${JSON.stringify(sent.slice(0, 1500))}`);
  faultCount += report.faults.length;
  resident.push(residentMiB(router));
  console.log(
    `${(part + 1) * count} requests: router ${resident.at(-1)?.toFixed(0)} MiB, ${report.faults.length} faults`,
  );
}
for (const [what, times] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${what.padEnd(22)} ${times}`);
const isWhole = pids() === before;
console.log(isWhole ? "no process ended" : `processes ended:\n${cluster.output}`);
const growth = Math.min(...resident.slice(PARTS / 2)) - Math.min(...resident.slice(0, PARTS / 2));
console.log(`router's least memory: ${growth.toFixed(0)} MiB more in the second half than in the first`);
if (faultCount > 0 || !isWhole || growth > GROWTH_MIB_MAX) process.exitCode = 1;
