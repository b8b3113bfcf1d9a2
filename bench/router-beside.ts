import { type ChildProcess, spawn } from "node:child_process";
import { Agent } from "node:http";
import { createServer } from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { streamCompletion } from "./serving/completion-stream.ts";
import { median } from "./serving/figures.ts";
import { cpuOf, nameOf, startCluster } from "./serving/served-cluster.ts";

/**
 * What a router costs, beside other routers and none: requests a second, the time to the first token, and its CPU a request and a token. The others forward to
 * an engine that computes nothing (`serving/paced-backend.ts`); Drover's renders, tokenizes and queues, and its workers' steps take as long and compute nothing
 * either, so that its whole cluster stands where their router and that engine stand. Sides take turns, round by round.
 *
 * Usage: node scripts/run.mjs bench/router-beside.ts [--against 'vllm-router=vllm-router --port {port} --worker-urls {backend}']... [--step-ms 5]
 * [--rounds 3] [--requests 500] [--clients 8] [--words 100] [--streams 32] [--tokens 400]
 */
const { values } = parseArgs({
  options: {
    against: { type: "string", multiple: true, default: [] },
    "step-ms": { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    requests: { type: "string", default: "500" },
    clients: { type: "string", default: "8" },
    words: { type: "string", default: "100" },
    streams: { type: "string", default: "32" },
    tokens: { type: "string", default: "400" },
  },
});
const READY_MS_MAX = 120_000;
const stepMs = values["step-ms"];
const [requestCount, clients, words] = [Number(values.requests), Number(values.clients), Number(values.words)];
const [streams, tokens] = [Number(values.streams), Number(values.tokens)];

/** `pids`: whose CPU is the router's. */
type Side = Readonly<{ name: string; url: string; pids: readonly number[] }>;
type Figures = Readonly<{ requestsASecond: number; firstMs: number; requestUs: number; tokenUs: number }>;

const started: ChildProcess[] = [];
const backend = await startBackend();
const freeSteps = pathToFileURL(join(import.meta.dirname, "serving/free-steps.ts")).href;
const cluster = await startCluster(join(import.meta.dirname, ".."), {
  expertWorkers: "0",
  flags: "",
  env: { FREE_STEP_MS: stepMs, NODE_OPTIONS: `--import=${freeSteps}` },
});
try {
  const routers = cluster.pids().filter((pid) => nameOf(pid) === "router");
  const sides: Side[] = [
    { name: "no router", url: backend, pids: [] },
    { name: "Drover", url: cluster.url, pids: routers },
  ];
  for (const against of values.against) sides.push(await startOther(against));
  const found = new Map<Side, Figures[]>(sides.map((side) => [side, []]));
  for (const side of sides) await measure(side);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const side of sides) found.get(side)?.push(await measure(side));
  print(found);
} finally {
  for (const child of started) child.kill();
  await cluster.end();
}

async function measure({ url, pids }: Side): Promise<Figures> {
  const cpuUs = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const agent = new Agent({ keepAlive: true, maxSockets: Math.max(clients, streams) });
  const firsts: number[] = [];
  let left = requestCount;
  const ask = async () => {
    while (left-- > 0) firsts.push((await streamCompletion(url, { tokens: 1, words, agent })).firstMs);
  };
  try {
    const [beganMs, beganUs] = [performance.now(), cpuUs()];
    await Promise.all(Array.from({ length: clients }, ask));
    const [endedMs, endedUs] = [performance.now(), cpuUs()];
    await Promise.all(Array.from({ length: streams }, () => streamCompletion(url, { tokens, words, agent })));
    const requestUs = (endedUs - beganUs) / requestCount;
    return {
      requestsASecond: (requestCount * 1000) / (endedMs - beganMs),
      firstMs: median(firsts),
      requestUs,
      tokenUs: Math.max(0, cpuUs() - endedUs - streams * requestUs) / (streams * tokens),
    };
  } finally {
    agent.destroy();
  }
}

function print(found: ReadonlyMap<Side, readonly Figures[]>): void {
  console.log(
    `${clients} clients, prompts of ${words} words, a token each; then ${streams} streams of ${tokens} tokens; steps of ${stepMs} ms; medians of ${values.rounds} rounds (least to most); load of the machine ${loadavg()[0]?.toFixed(1)}`,
  );
  console.log("\n| | requests/s | first token p50, ms | CPU us a request | CPU us a token |\n|---|---|---|---|---|");
  for (const [{ name, pids }, figures] of found) {
    const told = (pick: (one: Figures) => number, digits: number) => {
      const all = figures.map(pick);
      return `${median(all).toFixed(digits)} (${Math.min(...all).toFixed(digits)} to ${Math.max(...all).toFixed(digits)})`;
    };
    const cpu =
      pids.length === 0 ? "- | -" : `${told(({ requestUs }) => requestUs, 0)} | ${told(({ tokenUs }) => tokenUs, 1)}`;
    console.log(
      `| ${name} | ${told((one) => one.requestsASecond, 0)} | ${told(({ firstMs }) => firstMs, 1)} | ${cpu} |`,
    );
  }
}

async function startBackend(): Promise<string> {
  const program = join(import.meta.dirname, "serving/paced-backend.ts");
  const child = spawn(process.execPath, [program, stepMs], { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  for await (const port of createInterface(child.stdout)) return `http://127.0.0.1:${port}`;
  throw new Error("the backend ended before it listened");
}

/** Another router by its command, `NAME=COMMAND` with `{port}` and `{backend}` where they belong, once it passes a request on. */
async function startOther(against: string): Promise<Side> {
  const split = against.indexOf("=");
  const port = await freePort();
  const command = against
    .slice(split + 1)
    .replaceAll("{port}", String(port))
    .replaceAll("{backend}", backend);
  const [program = "", ...args] = command.split(" ").filter(Boolean);
  const child = spawn(program, args, { stdio: "ignore" });
  started.push(child);
  const url = `http://127.0.0.1:${port}`;
  const agent = new Agent();
  for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += 250) {
    const isReady = await streamCompletion(url, { tokens: 1, words: 1, agent }).then(
      () => true,
      () => false,
    );
    if (isReady) return { name: against.slice(0, split), url, pids: child.pid === undefined ? [] : [child.pid] };
    await sleep(250);
  }
  throw new Error(`${program} does not pass requests on`);
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
