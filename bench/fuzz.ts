// Malformed HTTP and gRPC requests from a grammar of the API, as its own OpenAPI document describes it, at a whole cluster of nano: what came of
// them by status, whether a process of the cluster ended, and what the router's memory has kept of them: after each part all of its threads collect
// their garbage, and a line is fitted through what is left once it is warm. Envelope: a request costs the router under a millisecond
// unless it is a good one, of which each takes a step or two: 100,000 are some ten minutes on two cores. Ends with 1 where one was answered with 500,
// by a gRPC code that tells of a bug, or not at all, a process ended, or more is added than the bounds allow.
// Usage: node scripts/run.mjs bench/fuzz.ts [--count 100000] [--seed 1] [--at-once 16]
import { parseArgs } from "node:util";
import { fuzz } from "../tests/e2e/fuzz/fuzz-run.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { areFlat, MEMORY_COLUMNS, MeasuredMemory, type MemoryPoint, memoryRow } from "./serving/measured-memory.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    "at-once": { type: "string", default: "16" },
  },
});
const PARTS = 40;
const FAULTS_SHOWN = 10;
const BOUNDS = { live: 16, residentRise: 32 };
/** So short that as many go as come, soon: the entries of those that are kept would be in the slope. */
const KEEP = ["--keep-responses", "20s"];

using memory = new MeasuredMemory();
await using cluster = await TestCluster.start({
  expertWorkers: 0,
  flags: ["--max-requests", "64", ...KEEP],
  env: memory.env,
});
const pids = () => cluster.pids("main.ts").join();
const [router = 0] = cluster.pids("router/src/main.ts");
const before = pids();
const counts = new Map<string, number>();
const points: MemoryPoint[] = [];
let faultCount = 0;
console.log(MEMORY_COLUMNS);
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
  const point = { ...(await memory.of(router)), requests: (part + 1) * count };
  points.push(point);
  console.log(memoryRow(point));
}
for (const [what, times] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${what.padEnd(22)} ${times}`);
const isWhole = pids() === before;
console.log(isWhole ? "no process ended" : `processes ended:\n${cluster.output}`);
console.log(`${faultCount} faults; KiB a thousand requests, once it is warm:`);
const isFlat = areFlat(points, BOUNDS);
if (faultCount > 0 || !isWhole || !isFlat) process.exitCode = 1;
