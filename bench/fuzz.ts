// Malformed HTTP and gRPC requests from a grammar of the API, as its own OpenAPI document describes it, at a whole cluster of nano: what came of
// them by status, whether a process of the cluster ended, and what the router's memory has kept of them: after each part all of its threads collect
// their garbage, and a line is fitted through what is left once it is warm. Of each part also how long the router's loop did not turn, by the wall and by
// what its thread computed meanwhile: the second is Drover's, on a machine with others too. Envelope: a request costs the router under a millisecond
// unless it is a good one, of which each takes a step or two: 100,000 are some ten minutes on two cores. Ends with 1 where one was answered with 500,
// by a gRPC code that tells of a bug, or not at all, a process ended, more is added than the bounds allow, or a turn of the loop computed for more than 50 ms once it is warm.
// Usage: node scripts/run.mjs bench/fuzz.ts [--count 100000] [--seed 1] [--at-once 16]
import { parseArgs } from "node:util";
import { fuzz } from "../tests/e2e/fuzz/fuzz-run.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { longest, type Pause, RecordedPauses } from "./loop-pauses/recorded-pauses.ts";
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
const TURN_MS_MAX = 50;
const BOUNDS = { live: 16, residentRise: 32 };
/** So short that as many go as come, soon: the entries of those that are kept would be in the slope. */
const KEEP = ["--keep-responses", "20s"];

using memory = new MeasuredMemory();
using recorded = new RecordedPauses();
await using cluster = await TestCluster.start({
  expertWorkers: 0,
  flags: ["--max-requests", "64", ...KEEP],
  env: {
    ...memory.env,
    ...recorded.env,
    NODE_OPTIONS: `${memory.env.NODE_OPTIONS} ${recorded.env.NODE_OPTIONS}`,
  },
});
const pids = () => cluster.pids("main.ts").join();
const [router = 0] = cluster.pids("router/src/main.ts");
const before = pids();
const counts = new Map<string, number>();
const points: MemoryPoint[] = [];
const pauses: Pause[] = [];
let faultCount = 0;
console.log(`${MEMORY_COLUMNS}  longest turn ms, computed`);
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
  recorded.clear();
  const report = await fuzz(asked);
  // Before all threads are told to collect, which is no turn of Drover's.
  const turns = recorded.all.filter(({ name }) => name === "router");
  // The first part compiles what it runs.
  if (part > 0) pauses.push(...turns);
  for (const [what, times] of report.counts) counts.set(what, (counts.get(what) ?? 0) + times);
  for (const { what, sent } of report.faults.slice(0, FAULTS_SHOWN))
    console.log(`${what}: ${JSON.stringify(sent.slice(0, 1500))}`);
  faultCount += report.faults.length;
  const point = { ...(await memory.of(router)), requests: (part + 1) * count };
  points.push(point);
  console.log(`${memoryRow(point)}  ${longest(turns, "pauseMs").toFixed(0)}  ${longest(turns, "ownMs").toFixed(0)}`);
}
for (const [what, times] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${what.padEnd(22)} ${times}`);
const isWhole = pids() === before;
console.log(isWhole ? "no process ended" : `processes ended:\n${cluster.output}`);
console.log(`${faultCount} faults; KiB a thousand requests, once it is warm:`);
const isFlat = areFlat(points, BOUNDS);
const computedMs = longest(pauses, "ownMs");
console.log(
  `longest turn of the router's loop ${longest(pauses, "pauseMs").toFixed(0)} ms by the wall, ${computedMs.toFixed(0)} ms computed, of ${TURN_MS_MAX}`,
);
if (faultCount > 0 || !isWhole || !isFlat || computedMs > TURN_MS_MAX) process.exitCode = 1;
