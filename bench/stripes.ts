import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type RankedToken, silentLogger, systemClock } from "@drover/core";
import { ContextStreamHolder } from "@drover/rpc";
import { freePort, greedyTask, openLocalEngine, seededRandom } from "@drover/testkit";

/**
 * One long prompt on nano, its global rows with each number of context workers (0: all with the worker that computes): greedy tokens and their
 * likeliest log-probabilities against the first number's, seconds, and of each process the most resident memory and KV. Each number is a
 * process of its own with context workers as they are in a cluster; attention and experts are in that process, without a deadline.
 *
 * Back of the envelope: a token has 1 KiB in nano's two global layers, so 131,072 take 128 MiB; over 4 workers 32 MiB each, and 3 MiB stay. Queries
 * and answers of a row take 2.1 KiB for each holder and layer: 131,072 rows over 4 holders and 2 layers are 2.2 GB, there and back, on loopback
 * a few seconds. Attention to the rows before is 2 layers x n^2 / 2 x 2 x 2 x 256 = 18 TFLOP, minutes, wherever it runs.
 */
const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "131072" },
    workers: { type: "string", default: "0,4" },
    seed: { type: "string", default: "1" },
    chunk: { type: "string", default: "512" },
    /** Cores of the computing process; a context worker has one. */
    threads: { type: "string", default: "1" },
    /** Parts of the prompt after which time and memory are printed. */
    stages: { type: "string", default: "8" },
    /** All numbers at once: they then share the cores. */
    together: { type: "boolean", default: false },
    /** What a child is told: its number of context workers. */
    one: { type: "string" },
  },
});
const TOKENS = Number(values.tokens);
const OUTPUT_TOKENS = 16;
const ORDINARY_IDS = 3000;
const TOP = 5;
const STAGES = Number(values.stages);
const MODEL = join(import.meta.dirname, "../models/nano");
const WORKER = join(import.meta.dirname, "../apps/worker/src/main.ts");
const MIB = 2 ** 20;

type Use = { residentMiB: number; kvMiB: number };
type Run = {
  workers: number;
  seconds: number;
  /** Seconds when each part of the prompt was computed. */
  stageSeconds: number[];
  steps: number;
  tokens: number[];
  top: (readonly RankedToken[])[];
  attention: Use;
  context: Use[];
};

const residentMiB = (pid: number | string) =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** A process of role context. It looks for a scheduler that is not there: nobody but this bench knows it. */
async function startContext(index: number): Promise<{ child: ChildProcess; holder: ContextStreamHolder }> {
  const port = await freePort();
  const nobody = `127.0.0.1:${await freePort()}`;
  const flags = ["--roles=context", `--model=${MODEL}`, `--scheduler=${nobody}`, `--grpc-port=${port}`];
  const child = spawn(process.execPath, ["--conditions=@drover/source", WORKER, ...flags], {
    // It ends when the channel breaks, so that nothing is left of an interrupted run.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const holder = new ContextStreamHolder(`context-${index}`, `127.0.0.1:${port}`, systemClock, silentLogger);
  while (!holder.connected) await setTimeout(50);
  return { child, holder };
}

async function runOne(workers: number): Promise<Run> {
  const random = seededRandom(Number(values.seed));
  const prompt = Array.from({ length: TOKENS }, () => Math.floor(random() * ORDINARY_IDS));
  const started = await Promise.all(Array.from({ length: workers }, (_, index) => startContext(index)));
  const holders = started.map(({ holder }) => holder);
  const local = await openLocalEngine(MODEL, {
    prefillRowsMax: Number(values.chunk),
    threads: Number(values.threads),
    prefixCache: false,
    ...(workers > 0 && { stripes: { above: 1024, holders: () => holders } }),
  });
  const task = greedyTask("long", prompt, OUTPUT_TOKENS);
  const refusal = local.engine.place({ ...task, params: { ...task.params, topLogprobs: TOP } });
  if (refusal !== undefined) throw new Error(refusal.message);
  const began = performance.now();
  const run: Run = {
    workers,
    seconds: 0,
    stageSeconds: [],
    steps: 0,
    tokens: [],
    top: [],
    attention: { residentMiB: 0, kvMiB: 0 },
    context: holders.map(() => ({ residentMiB: 0, kvMiB: 0 })),
  };
  for (let left = TOKENS; left > 0; left = local.engine.load().pendingTokenCount) {
    await local.engine.step();
    await setImmediate();
    run.steps += 1;
    run.attention.kvMiB = Math.max(run.attention.kvMiB, local.sequences.kvBytesUsed / MIB);
    for (const [i, { bytesMax, bytesFree }] of holders.entries()) {
      const use = run.context[i];
      if (use !== undefined) use.kvMiB = Math.max(use.kvMiB, (bytesMax - bytesFree) / MIB);
    }
    const seconds = (performance.now() - began) / 1000;
    if (TOKENS - left < (TOKENS * (run.stageSeconds.length + 1)) / STAGES) continue;
    run.stageSeconds.push(Math.round(seconds));
    const kv = run.context.map(({ kvMiB }) => kvMiB.toFixed(0)).join(" ") || "none";
    const resident = started.map(({ child }) => residentMiB(child.pid ?? 0).toFixed(0)).join(" ") || "none";
    console.error(
      `${workers} context workers: ${TOKENS - left} tokens after ${seconds.toFixed(0)} s; attention: KV ${run.attention.kvMiB.toFixed(1)} MiB, resident ${residentMiB("self").toFixed(0)} MiB; context: KV ${kv} MiB, resident ${resident} MiB`,
    );
  }
  local.engine.flush();
  run.seconds = (performance.now() - began) / 1000;
  for (const { event } of local.events) {
    if (event.kind !== "token") continue;
    run.tokens.push(event.tokenId);
    run.top.push(event.top);
  }
  run.attention.residentMiB = residentMiB("self");
  for (const [i, { child, holder }] of started.entries()) {
    const use = run.context[i];
    if (use !== undefined) use.residentMiB = residentMiB(child.pid ?? 0);
    holder[Symbol.dispose]();
    child.kill();
  }
  return run;
}

async function runChild(workers: number): Promise<Run> {
  const flags = Object.entries({
    tokens: values.tokens,
    seed: values.seed,
    chunk: values.chunk,
    threads: values.threads,
    stages: values.stages,
    one: workers,
  });
  const child = spawn(
    process.execPath,
    ["--conditions=@drover/source", import.meta.filename, ...flags.map(([name, value]) => `--${name}=${value}`)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (data) => {
    output += String(data);
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the run with ${workers} context workers ended with ${code}`);
  return JSON.parse(output) as Run;
}

/** The greatest difference of a log-probability that both name, up to the first step at which the tokens differ; and how many steps these are. */
function difference(a: Run, b: Run): { equalTokens: number; worst: number } {
  let equalTokens = 0;
  while (equalTokens < a.tokens.length && a.tokens[equalTokens] === b.tokens[equalTokens]) equalTokens += 1;
  let worst = 0;
  for (let step = 0; step <= Math.min(equalTokens, a.top.length - 1); step++)
    for (const { tokenId, logprob } of a.top[step] ?? []) {
      const other = b.top[step]?.find((each) => each.tokenId === tokenId);
      if (other !== undefined) worst = Math.max(worst, Math.abs(other.logprob - logprob));
    }
  return { equalTokens, worst };
}

if (values.one !== undefined) {
  process.stdout.write(JSON.stringify(await runOne(Number(values.one))));
  process.exit(0);
}
const counts = values.workers.split(",").map(Number);
const load = (loadavg()[0] ?? 0).toFixed(1);
console.log(
  `nano, ${TOKENS} tokens, steps of ${values.chunk}, seed ${values.seed}; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; load ${load}`,
);
const runs: Run[] = [];
if (values.together) runs.push(...(await Promise.all(counts.map(runChild))));
else for (const count of counts) runs.push(await runChild(count));
const [first] = runs;
for (const run of runs) {
  const { equalTokens, worst } = difference(first ?? run, run);
  const list = (of: (use: Use) => number) => run.context.map((use) => of(use).toFixed(0)).join(" ") || "none";
  console.log(
    `${run.workers} context workers: ${run.seconds.toFixed(0)} s (parts by ${run.stageSeconds.join(", ")}); attention: KV ${run.attention.kvMiB.toFixed(1)} MiB, resident ${run.attention.residentMiB.toFixed(0)} MiB; context: KV ${list(({ kvMiB }) => kvMiB)} MiB, resident ${list(({ residentMiB: mib }) => mib)} MiB; ${equalTokens} of ${run.tokens.length} tokens equal, log-probabilities within ${worst.toExponential(1)}`,
  );
}
