import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";

/**
 * Many short requests, many at once, through a whole cluster: errors, what is left in the queue, KV bytes in use, and the growth of the
 * router's heap, after forced collections, from the second to the last thousand.
 */
const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    concurrency: { type: "string", default: "200" },
    queue: { type: "string", default: "embedded" },
  },
});
const requests = Number(values.requests);
const root = join(import.meta.dirname, "..");
const model = join(root, "models/nano");

await using stack = new AsyncDisposableStack();
function start(app: string, nodeFlags: readonly string[], flags: readonly string[]): ChildProcess {
  const main = join(root, `apps/${app}/src/main.ts`);
  const child = spawn(process.execPath, ["--conditions=@drover/source", ...nodeFlags, main, ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  stack.defer(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 8000);
    await once(child, "exit");
    clearTimeout(late);
  });
  return child;
}

const binary = redisBinary();
let queue = "scheduler";
if (values.queue === "redis") {
  if (binary === undefined) throw new Error("redis-server or valkey-server is needed");
  const redis = stack.use(new TestRedis(binary, await freePort()));
  await redis.start();
  queue = redis.url;
}
const [grpc, http, publicGrpc, inspector, admin, workerAdmin] = [
  await freePort(),
  await freePort(),
  await freePort(),
  await freePort(),
  await freePort(),
  await freePort(),
];
const scheduler = `127.0.0.1:${grpc}`;
const quiet = ["--log-level", "error"];
start(
  "scheduler",
  [],
  [
    "--model-name",
    "nano",
    "--queue",
    queue,
    "--grpc-port",
    String(grpc),
    "--admin-port",
    String(admin),
    "--expect-experts",
    "2",
    ...quiet,
  ],
);
start(
  "worker",
  [],
  [
    "--roles",
    "attention",
    "--model",
    model,
    "--scheduler",
    scheduler,
    "--worker-id",
    "attention-0",
    "--admin-port",
    String(workerAdmin),
  ],
);
for (const i of [0, 1])
  start(
    "worker",
    [],
    ["--roles", "experts", "--model", model, "--scheduler", scheduler, "--worker-id", `experts-${i}`],
  );
const router = start(
  "router",
  [`--inspect=127.0.0.1:${inspector}`],
  [
    "--model",
    model,
    "--scheduler",
    scheduler,
    "--queue",
    queue,
    "--http-port",
    String(http),
    "--grpc-port",
    String(publicGrpc),
    ...quiet,
  ],
);
const url = `http://127.0.0.1:${http}`;
while (
  !(await fetch(`${url}/ready`).then(
    (r) => r.ok,
    () => false,
  ))
)
  await new Promise((resolve) => setTimeout(resolve, 100));

/** Bytes of the router's heap after a full collection, over its inspector. */
async function heapBytes(): Promise<number> {
  const targets = (await (await fetch(`http://127.0.0.1:${inspector}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? "");
  await once(socket, "open");
  const call = async (id: number, method: string): Promise<{ usedSize?: number }> => {
    socket.send(JSON.stringify({ id, method }));
    for (;;) {
      const [event] = (await once(socket, "message")) as [MessageEvent];
      const message = JSON.parse(String(event.data)) as { id?: number; result?: { usedSize?: number } };
      if (message.id === id) return message.result ?? {};
    }
  };
  await call(1, "HeapProfiler.collectGarbage");
  await call(2, "HeapProfiler.collectGarbage");
  const { usedSize = 0 } = await call(3, "Runtime.getHeapUsage");
  socket.close();
  return usedSize;
}

let next = 0;
let errors = 0;
const heaps: number[] = [];
async function client(): Promise<void> {
  while (next < requests) {
    const i = next++;
    const body = {
      model: "nano",
      messages: [{ role: "user", content: `What is ${i % 90} + ${i % 7}?` }],
      max_tokens: 4,
    };
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => undefined);
    const answer = (await response?.json().catch(() => undefined)) as { usage?: unknown } | undefined;
    if (response?.ok !== true || answer?.usage === undefined) errors += 1;
    if (i > 0 && i % 1000 === 0) heaps.push(await heapBytes());
  }
}
const began = performance.now();
await Promise.all(Array.from({ length: Number(values.concurrency) }, client));
const seconds = (performance.now() - began) / 1000;
await new Promise((resolve) => setTimeout(resolve, 1500));
heaps.push(await heapBytes());

const metric = async (port: number, name: string) => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`));
};
const waiting = (await metric(admin, "vllm:num_requests_waiting"))
  .map((line) => Number(line.split(" ").at(-1)))
  .reduce((a, b) => a + b, 0);
const used = (await metric(workerAdmin, "drover_kv_bytes"))
  .find((line) => line.includes('kind="used"'))
  ?.split(" ")
  .at(-1);
const rss = (await metric(http, "drover_resident_bytes"))[0]?.split(" ").at(-1);
const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2);
console.log(
  `${requests} requests, ${values.concurrency} at once, ${values.queue} queue: ${errors} errors in ${seconds.toFixed(1)} s (${(requests / seconds).toFixed(0)}/s)`,
);
console.log(`left in the queue: ${waiting}; KV bytes in use: ${used}; router RSS ${mib(Number(rss))} MiB`);
console.log(`router heap after collections, each thousand, MiB: ${heaps.map(mib).join(" ")}`);
console.log(`growth from the second thousand to the end: ${mib((heaps.at(-1) ?? 0) - (heaps[1] ?? 0))} MiB`);
router.unref();
process.exitCode = errors === 0 && waiting === 0 && Number(used) === 0 ? 0 : 1;
await stack.disposeAsync();
process.exit();
