import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { type MainProcess, ProcessGroup } from "../tests/e2e/process-group.ts";
import { Inspector } from "./inspector.ts";
import { residentBytes } from "./serving/resident-bytes.ts";

/**
 * Many short requests, many at once, and what they leave behind: `soak.ts --queue embedded|redis`. Ends with 1 when a request
 * fails, something waits in the queue, KV is in use, or the router's heap has grown by more than 1 MiB from the second to the
 * last thousand.
 */
const { values } = parseArgs({
  options: {
    queue: { type: "string", default: "embedded" },
    requests: { type: "string", default: "10000" },
    concurrency: { type: "string", default: "200" },
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
  },
});
const REQUESTS = Number(values.requests);
const HEAP_GROWTH_BYTES_MAX = 2 ** 20;
const BATCH = 1000;
const SETTLE_MS_MAX = 10_000;

const binary = redisBinary();
if (values.queue === "redis" && binary === undefined) throw new Error("redis-server or valkey-server is needed");
await using redis = new TestRedis(binary ?? "", await freePort());
if (values.queue === "redis") await redis.start();
const queue = values.queue === "redis" ? redis.url : "scheduler";

await using group = new ProcessGroup();
const scheduler = group.start("scheduler", {
  flags: { "model-name": "nano", "grpc-port": 0, "expect-experts": 2, queue },
});
const { grpc = "", admin: schedulerAdmin = "" } = await scheduler.listening;
const common = { model: values.model, "model-name": "nano", scheduler: grpc };
for (const id of ["experts-0", "experts-1"])
  group.start("worker", { flags: { ...common, roles: "experts", "worker-id": id } });
const worker = group.start("worker", { flags: { ...common, roles: "attention", "worker-id": "attention-0" } });
const { admin: workerAdmin = "" } = await worker.listening;
const router = group.start("router", {
  flags: { ...common, queue, "http-port": 0, "grpc-port": 0 },
  nodeFlags: ["--inspect=127.0.0.1:0"],
});
const { http = "" } = await router.listening;
await router.ready;
using inspector = await Inspector.connect(/ws:\/\/\S+/.exec(router.output)?.[0] ?? "");

const errors = new Map<string, number>();
const body = { model: "nano", prompt: "Hello", max_tokens: 2, temperature: 0, ignore_eos: true };
const request = async () => {
  try {
    const response = await fetch(`http://${http}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return response.ok ? undefined : `${response.status} ${text.slice(0, 200)}`;
  } catch (error) {
    return String(error);
  }
};

async function sendBatch(count: number): Promise<void> {
  let left = count;
  const client = async () => {
    while (left-- > 0) {
      const error = await request();
      if (error !== undefined) errors.set(error, (errors.get(error) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: Number(values.concurrency) }, client));
}

const json = async (address: string) => (await fetch(`http://${address}`)).json();
async function leftBehind(): Promise<{ waiting: number; kvBytes: number }> {
  const { lanes } = (await json(`${schedulerAdmin}/debug/cluster`)) as { lanes?: { waitingCount?: number }[] };
  const { load } = (await json(`${workerAdmin}/debug/worker`)) as { load: { kvBytesUsed: number } };
  return {
    waiting: (lanes ?? []).reduce((sum, lane) => sum + (lane.waitingCount ?? 0), 0),
    kvBytes: load.kvBytesUsed,
  };
}

const rssBytes = ({ child }: MainProcess) => residentBytes(child.pid ?? 0);

const heap: number[] = [];
const began = performance.now();
for (let sent = 0; sent < REQUESTS; sent += BATCH) {
  await sendBatch(Math.min(BATCH, REQUESTS - sent));
  heap.push(await inspector.heapBytes());
  console.error(
    `${sent + BATCH} sent, router's heap ${mib(heap.at(-1) ?? 0)} MiB, ${mib(rssBytes(router))} MiB resident`,
  );
}
const seconds = (performance.now() - began) / 1000;
let left = await leftBehind();
for (const limit = Date.now() + SETTLE_MS_MAX; left.waiting + left.kvBytes > 0 && Date.now() < limit; ) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  left = await leftBehind();
}
const growth = (heap.at(-1) ?? 0) - (heap[1] ?? 0);
const errorCount = [...errors.values()].reduce((sum, count) => sum + count, 0);
console.log(`${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; ${REQUESTS} requests, ${values.concurrency} at once
| queue | errors | left in the queue | KV bytes | router's heap growth KiB | router's RSS MiB | requests/s |
|---|---|---|---|---|---|---|
| ${values.queue} | ${errorCount} | ${left.waiting} | ${left.kvBytes} | ${(growth / 1024).toFixed(0)} | ${mib(rssBytes(router))} | ${(REQUESTS / seconds).toFixed(0)} |`);
for (const [error, count] of errors) console.log(`${count} x ${error}`);
process.exitCode = errorCount + left.waiting + left.kvBytes > 0 || growth > HEAP_GROWTH_BYTES_MAX ? 1 : 0;

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
