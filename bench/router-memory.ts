import { appendFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Client, credentials } from "@grpc/grpc-js";
import { fillWithinSum } from "./serving/fill-report.ts";
import { startLoneRouter } from "./serving/lone-router.ts";
import { areFlat, MEMORY_COLUMNS, MeasuredMemory, type MemoryPoint, memoryRow } from "./serving/measured-memory.ts";
import { RawClient, rawRequest } from "./serving/raw-client.ts";
import { residentBytes } from "./serving/resident-bytes.ts";
import { cpuOf } from "./serving/served-cluster.ts";
import { ShortRequests } from "./serving/short-requests.ts";

/**
 * Many short requests of all kinds (`serving/short-requests.ts`) through one router before a worker that answers at once and computes nothing, and what the
 * router's process keeps of them: after each part all of its threads collect their garbage, and a line is fitted through what is left once all that has a bound is full:
 * responses are kept for 20 s alone, so that as many go as come. With `--keep-responses 1h` their entries are in the slope, some 160 bytes of each.
 * Envelope: a request costs the router, the worker and the client some 1.5 ms of a core together: 200,000 are some three minutes on two cores that nothing
 * else wants. With `--bodies` so many chats of 8 MiB follow, four at once, which are too long and are refused once they are tokenized: what is resident before
 * them, at most, a minute after them, when nobody has asked for a collection, and then once all threads have collected. Ends with 1 where a request had another answer than its kind has, or more is added than the bounds allow.
 * With `--fill` nothing of that, but each of the router's budgets filled on purpose (`serving/memory-fill.ts`), some five minutes: ends with 1 where what
 * was resident is more than the sum that `--help` tells, or less than half of it, a budget was not filled by three quarters, a request had no answer, or bytes stay counted at the end.
 *
 * Usage: node scripts/run.mjs bench/router-memory.ts [--requests 200000] [--parts 40] [--at-once 32] [--checkout DIR] [--model models/nano] [--bodies 0] [--keep-responses 20s] [--out FILE] [--snapshots DIR]
 *        node scripts/run.mjs bench/router-memory.ts --fill [--checkout DIR]
 */
const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "200000" },
    parts: { type: "string", default: "40" },
    "at-once": { type: "string", default: "32" },
    checkout: { type: "string", default: join(import.meta.dirname, "..") },
    model: { type: "string", default: "models/nano" },
    bodies: { type: "string", default: "0" },
    "keep-responses": { type: "string", default: "20s" },
    fill: { type: "boolean", default: false },
    /** Each part's report, one a line, as it comes. */
    out: { type: "string" },
    snapshots: { type: "string" },
  },
});
/** Requests that nobody reads any more end meanwhile. */
const SETTLE_MS = 500;
const FAULTS_SHOWN = 10;
const BODY_BYTES = 8 * 2 ** 20;
const BODIES_AT_ONCE = 4;
const IDLE_MS = 60_000;
const BOUNDS = { live: 16, residentRise: 32 };

if (values.fill) process.exit((await fillWithinSum(values.checkout, values.model)) ? 0 : 1);

const [count, parts] = [Number(values.requests), Number(values.parts)];
using memory = new MeasuredMemory(values.snapshots);
const { checkout, model } = values;
const router = await startLoneRouter(checkout, {
  stepMs: "1",
  model,
  env: memory.env,
  more: ["--keep-responses", values["keep-responses"]],
});
const [pid = 0] = router.pids();
const grpc = new Client(router.grpc, credentials.createInsecure());
const requests = new ShortRequests(router.url, grpc, Number(values["at-once"]));
const points: MemoryPoint[] = [];
const loads: number[] = [];
const beganUs = cpuOf(pid);
try {
  console.log(MEMORY_COLUMNS);
  for (let part = 0; part <= parts; part++) {
    if (part > 0) await requests.send(Math.ceil(count / parts));
    await sleep(SETTLE_MS);
    const point = { ...(await memory.of(pid)), requests: part * Math.ceil(count / parts) };
    points.push(point);
    loads.push(loadavg()[0] ?? 0);
    if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(point)}\n`);
    console.log(memoryRow(point));
  }
  conclude((cpuOf(pid) - beganUs) / 1000 / count);
  if (Number(values.bodies) > 0) await sendBodies(Number(values.bodies));
} finally {
  requests.close();
  grpc.close();
  await router.end();
}

async function sendBodies(bodyCount: number): Promise<void> {
  const residentMiB = () => residentBytes(pid) / 2 ** 20;
  const content = "some words of it ".repeat(BODY_BYTES / 17);
  const bytes = rawRequest("POST", "/v1/chat/completions", { model: "nano", messages: [{ role: "user", content }] });
  const before = residentMiB();
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, residentMiB());
  }, 100);
  let left = bodyCount;
  const statuses: number[] = [];
  const send = async (client: RawClient) => {
    while (left-- > 0) statuses.push(await client.ask({ bytes }));
    client.close();
  };
  await Promise.all(Array.from({ length: BODIES_AT_ONCE }, () => send(new RawClient(router.url))));
  clearInterval(look);
  const after = residentMiB();
  await sleep(IDLE_MS);
  const later = residentMiB();
  const { resident } = await memory.of(pid);
  const told = { before, most, after, "a minute after": later, "once collected": resident / 2 ** 20 };
  console.log(`${bodyCount} bodies, answered ${[...new Set(statuses)].join()}; resident MiB:`);
  for (const [when, mib] of Object.entries(told)) console.log(`  ${when.padEnd(24)} ${mib.toFixed(0)}`);
}

function conclude(cpuMs: number): void {
  console.log(`\nKiB a thousand requests, of ${count}, once what has a bound is full:`);
  const isFlat = areFlat(points, BOUNDS);
  const range = [Math.min(...loads), Math.max(...loads)].map((load) => load.toFixed(1)).join(" to ");
  console.log(`CPU of the router ${cpuMs.toFixed(2)} ms a request; load ${range}`);
  console.log([...requests.counts].map(([name, times]) => `${name} ${times}`).join(", "));
  for (const [what, times] of [...requests.faults].slice(0, FAULTS_SHOWN)) console.log(`wrong: ${times} x ${what}`);
  if (requests.faults.size > 0 || !isFlat) process.exitCode = 1;
}
