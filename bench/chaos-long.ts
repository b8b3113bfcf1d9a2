import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { at, seededRandom } from "@drover/core";
import { openRedis } from "@drover/queue";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { ClusterSecret } from "../tests/e2e/cluster-secret.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { ChaosLog } from "./chaos/chaos-log.ts";
import { chaosTable } from "./chaos/chaos-table.ts";
import { type HeldLevels, levelsText, readLevels } from "./chaos/levels.ts";
import { type MixedRequest, mixedRequests } from "./chaos/mixed-requests.ts";
import { MixedTally, type Outcome, readMixed } from "./chaos/mixed-stream.ts";
import { Pauses } from "./chaos/pauses.ts";
import { SecondRouter } from "./chaos/second-router.ts";

/**
 * Kills one process after the other, any but the last router, under streams of every kind, each of which has one right answer, learned before:
 * `chaos-long.ts --minutes 30 --streams 32 --every 5`. Every expert has two holders. `--queue-too` has Redis and the scheduler among the victims.
 * Who was cut off with a killed router asks the other one again, as users do, and is counted as such. Says what came of the requests, how long streams
 * paused by what was killed, and what is held ten seconds after the last one. What has come of it so far is in the file `--so-far` all the time, and is
 * said when it is told to end. `--kinds text,tools`: streams of these alone. `--victims "expert worker,router"`: kills of these alone. `--log FILE`: what the cluster says, and what is killed and who waited, each with its time.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    streams: { type: "string", default: "32" },
    every: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    "queue-too": { type: "boolean", default: false },
    "expert-workers": { type: "string", default: "4" },
    "attention-workers": { type: "string", default: "2" },
    "context-workers": { type: "string", default: "2" },
    flags: { type: "string", default: "" },
    kinds: { type: "string", default: "" },
    victims: { type: "string", default: "" },
    log: { type: "string" },
    "so-far": { type: "string", default: join(tmpdir(), "chaos-long.md") },
  },
});
const everyMs = Number(values.every) * 1000;
/** After the last stream, before the levels are read again. */
const REST_MS = 10_000;
/** Longer than any wait that is promised: a request that is asked again and again for so long is lost. */
const ASKED_AGAIN_MS_MAX = 120_000;
/** After the last stream every part is back within this time, or its absence is a fault. */
const WHOLE_MS_MAX = 120_000;
const SO_FAR_MS = 10_000;
const random = seededRandom(Number(values.seed));
const isQueueVictim = values["queue-too"];
const binary = redisBinary();
if (isQueueVictim && binary === undefined) throw new Error("--queue-too needs redis-server or valkey-server");

await using redis = new TestRedis(binary ?? "", await freePort());
if (isQueueVictim) await redis.start();
using secret = new ClusterSecret();
const queue = isQueueVictim ? redis.url : "embedded";
const holders = ["--expert-holders", "2", "--context-workers", values["context-workers"], "--stripe-above", "1000"];
await using cluster = await TestCluster.start({
  expertWorkers: Number(values["expert-workers"]),
  attentionWorkers: Number(values["attention-workers"]),
  queue,
  flags: [...holders, ...secret.flags, ...values.flags.split(" ").filter(Boolean)],
});
const log = new ChaosLog(values.log);
log.hear(cluster.process);
await using router = await SecondRouter.beside(cluster, secret, isQueueVictim ? redis.url : undefined);

const kinds = values.kinds.split(",").filter(Boolean);
const requests = mixedRequests().filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
if (requests.length === 0) throw new Error(`--kinds names none of ${mixedRequests().map(({ kind }) => kind)}`);
const known = new Map<MixedRequest, readonly string[]>();
const first = cluster.post.bind(cluster);
const second = (path: string, body: unknown, signal?: AbortSignal) =>
  fetch(`${router.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
// By both routers, so that what each opens at its first requests is open before the levels are read.
for (const post of [second, first]) {
  for (const request of requests) {
    const { end, texts } = await readMixed(post, request);
    if (end !== "done") throw new Error(`${request.kind} ends with ${end} without any fault`);
    known.set(request, texts);
  }
}

const tally = new MixedTally();
const pauses = new Pauses((pause) => log.pause(pause));
const refusedAfterMs: number[] = [];
let askedAgainCount = 0;
let isOver = false;
let turn = 0;

/** Whether a reply ended because its router did. */
function wasCut(usesSecond: boolean, beganMs: number, { end }: Outcome): boolean {
  return usesSecond && (end === "no connection" || (end === "lost" && router.killedAtMs >= beganMs));
}

async function ask(request: MixedRequest, right: readonly string[]): Promise<void> {
  const beganMs = performance.now();
  let usesSecond = turn % 2 === 1;
  for (;;) {
    const askedMs = performance.now();
    const outcome = await readMixed(usesSecond ? second : first, request);
    pauses.take(request.kind, outcome.eventsMs);
    if (outcome.end !== "done") log.note(`a ${request.kind} stream ends with ${outcome.end}`);
    const tookMs = performance.now() - askedMs;
    if (!wasCut(usesSecond, askedMs, outcome) || performance.now() - beganMs > ASKED_AGAIN_MS_MAX) {
      if (outcome.end.startsWith("503")) refusedAfterMs.push(tookMs);
      return tally.note(request, right, outcome);
    }
    askedAgainCount += 1;
    usesSecond = false;
  }
}

async function client(): Promise<void> {
  while (!isOver) {
    const request = at(requests, turn++ % requests.length);
    const right = known.get(request);
    if (right === undefined) throw new Error("every request is known");
    await ask(request, right);
  }
}

type Victim = Readonly<{ kind: string; name: string; isThere: () => boolean; kill: () => Promise<void> }>;

function processOf(kind: string, text: string): Victim {
  return {
    kind,
    name: text,
    isThere: () => cluster.pids(text).length > 0,
    kill: async () => {
      for (const pid of cluster.pids(text)) process.kill(pid, "SIGKILL");
    },
  };
}

const workers = (kind: string, name: string, count: string) =>
  Array.from({ length: Number(count) }, (_, i) => processOf(kind, `--worker-id=${name}-${i}`));
const all: readonly Victim[] = [
  ...workers("expert worker", "experts", values["expert-workers"]),
  ...workers("attention worker", "attention", values["attention-workers"]),
  ...workers("context worker", "context", values["context-workers"]),
  {
    kind: "router",
    name: "the second router",
    isThere: () => router.pid !== undefined,
    kill: async () => router.kill(),
  },
  ...(isQueueVictim ? [processOf("scheduler", "apps/scheduler/"), redisVictim()] : []),
];
const struck = values.victims.split(",").filter(Boolean);
const victims = all.filter(({ kind }) => struck.length === 0 || struck.includes(kind));
if (victims.length === 0) throw new Error(`--victims names none of ${[...new Set(all.map(({ kind }) => kind))]}`);

function redisVictim(): Victim {
  const kill = async () => {
    await redis.stop();
    await sleep(1000);
    await redis.start();
  };
  return { kind: "Redis", name: "Redis", isThere: () => true, kill };
}

async function strikes(): Promise<void> {
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  for (;;) {
    const nextMs = performance.now() + everyMs * (0.8 + 0.4 * random());
    if (nextMs > endMs) return;
    await sleep(nextMs - performance.now());
    const there = victims.filter((victim) => victim.isThere());
    if (there.length === 0) continue;
    const { kind, name, kill } = at(there, Math.floor(random() * there.length));
    pauses.note({ kind, atMs: performance.now() });
    log.note(`! ${kind} ${name} is killed`);
    await kill();
  }
}

/** What the cluster holds, and what its Redis does for it: what ended lately is kept there for a bounded time, and so is each worker's place. */
async function held(): Promise<HeldLevels> {
  const levels = await readLevels(cluster);
  if (!isQueueVictim) return levels;
  const control = openRedis(redis.url, { producer: false });
  const redisKeyCount = await control.dbsize();
  control.disconnect();
  return { ...levels, redisKeyCount };
}

/** Every part of the cluster is back. Rejects where one stays away. */
async function whole(): Promise<void> {
  const untilMs = performance.now() + WHOLE_MS_MAX;
  for (;;) {
    const away = victims.filter((victim) => !victim.isThere()).map(({ kind }) => kind);
    if (away.length === 0) break;
    if (performance.now() > untilMs) throw new Error(`not back after ${WHOLE_MS_MAX} ms: ${away.join(", ")}`);
    await sleep(100);
  }
  await cluster.ready();
  await router.ready;
}

const table = () => chaosTable({ tally, pauses, askedAgainCount, refusedAfterMs });
const keep = setInterval(() => writeFileSync(values["so-far"], `${table()}\n`), SO_FAR_MS);

/** Says what has come of it so far, and ends all that it has started. */
async function interrupt(): Promise<void> {
  clearInterval(keep);
  console.log(`interrupted; so far:\n${table()}`);
  await router[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  if (isQueueVictim) await redis[Symbol.asyncDispose]();
  secret[Symbol.dispose]();
  process.exit(1);
}
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => void interrupt());

await sleep(2000);
const before = await held();
log.levels("before", before);
const clients = Array.from({ length: Number(values.streams) }, client);
try {
  await strikes();
} finally {
  isOver = true;
  // Each ends by its own bounds.
  await Promise.all(clients);
  clearInterval(keep);
  console.log(table());
}
await whole();
await sleep(REST_MS);
const after = await held();
log.levels("after", after);
console.log(levelsText(before, after));
const { wrong, lost, hanging } = tally;
process.exitCode = wrong.length + lost + hanging === 0 ? 0 : 1;
