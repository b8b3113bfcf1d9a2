import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { at } from "@drover/core";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { ClusterSecret } from "../tests/e2e/cluster-secret.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";
import { type Ask, KeyedReader, type Text } from "./chaos/keyed-reader.ts";
import { SecondRouter } from "./chaos/second-router.ts";

/**
 * Kills one of two routers (`kill -9`) under streams with an Idempotency-Key, whose clients then ask the other one for the rest:
 * `router-killed.ts --streams 8 --kills 5`. Every stream's right text was learned before, of a router that nobody killed. Says how many are right, wrong
 * or lost, and how long each waited between its last event before the kill and the first one behind it. `--signal STOP` has it sleep instead, and wake
 * when its streams are over: what it says then is counted as late. With a Redis, where the machine has one.
 */
const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "8" },
    kills: { type: "string", default: "5" },
    tokens: { type: "string", default: "120" },
    signal: { type: "string", default: "KILL" },
  },
});
const streamCount = Number(values.streams);
const isFrozen = values.signal === "STOP";
const binary = redisBinary();
await using redis = new TestRedis(binary ?? "", await freePort());
if (binary !== undefined) await redis.start();
const queue = binary === undefined ? "embedded" : redis.url;

using secret = new ClusterSecret();
await using cluster = await TestCluster.start({ queue, flags: [...secret.flags] });
await using router = await SecondRouter.beside(cluster, secret, binary === undefined ? undefined : redis.url);

const asks: readonly Ask[] = Array.from({ length: streamCount }, (_, seed) => ({
  path: "/v1/completions",
  body: {
    ...{
      model: "nano",
      prompt: `Story ${seed}: once upon a time`,
      stream: true,
      seed,
      temperature: 1,
      ignore_eos: true,
    },
    ...{ max_tokens: Number(values.tokens), stream_options: { include_usage: true } },
    ...(seed % 2 === 1 && { n: 2, logprobs: 2 }),
  },
}));
const right: Text[] = [];
for (const ask of asks) right.push(await new KeyedReader(ask, "").whole(cluster.url));

const counts = { right: 0, wrong: 0, lost: 0, late: 0, uncut: 0 };
const pausesMs: number[] = [];

async function client(index: number, kill: number): Promise<KeyedReader> {
  const reader = new KeyedReader(at(asks, index), `kill ${kill} stream ${index}`);
  await reader.read(router.url);
  if (reader.isOver) counts.uncut += 1;
  const text = await reader.whole(cluster.url);
  if (text === undefined) counts.lost += 1;
  else if (text === right[index]) counts.right += 1;
  else counts.wrong += 1;
  if (reader.resumedAfterMs !== undefined) pausesMs.push(reader.resumedAfterMs);
  return reader;
}

for (let kill = 0; kill < Number(values.kills); kill++) {
  const clients = asks.map((_, index) => client(index, kill));
  await sleep(500 + 250 * kill);
  const { pid } = router;
  if (pid === undefined) throw new Error("the second router is not there");
  if (isFrozen) process.kill(pid, "SIGSTOP");
  else router.kill();
  const readers = await Promise.all(clients);
  if (isFrozen) {
    const before = readers.map(({ firstEventCount }) => firstEventCount);
    process.kill(pid, "SIGCONT");
    await sleep(3000);
    counts.late += readers.filter(({ firstEventCount }, i) => firstEventCount !== before[i]).length;
  }
  await sleep(500);
  await router.ready;
}

const sorted = pausesMs.sort((a, b) => a - b);
const quantile = (part: number) =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
console.log("| streams | right | wrong | lost | over before the kill | late events | pause p50 ms | p99 | most |");
console.log("|---|---|---|---|---|---|---|---|---|");
const all = counts.right + counts.wrong + counts.lost;
console.log(
  `| ${all} | ${counts.right} | ${counts.wrong} | ${counts.lost} | ${counts.uncut} | ${counts.late} | ${quantile(0.5)} | ${quantile(0.99)} | ${quantile(1)} |`,
);
process.exitCode = counts.wrong + counts.lost + counts.late === 0 ? 0 : 1;
