import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { Agent } from "node:http";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { EngineLoadAnswer, EngineLoadQuery } from "./serving/closed-engine.ts";
import { streamCompletion } from "./serving/completion-stream.ts";
import { median, quantile } from "./serving/figures.ts";
import { randomIds } from "./serving/random-ids.ts";
import { cpuOf, nameOf, type ServedCluster, startCluster } from "./serving/served-cluster.ts";

/**
 * What serving costs beside the engine: the same load (prompts of 100 tokens, 64 generated, so many streams, closed) on the engine alone in a process of its own, and
 * over HTTP on `drover up --expert-workers 0`, in turns. Tokens a second of both; microseconds of CPU a token by process, the worker's by thread; where its steps' time goes.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    streams: { type: "string", default: "1,8,32" },
    rounds: { type: "string", default: "4" },
    /** Of each stream in a round. */
    requests: { type: "string", default: "4" },
    "prompt-tokens": { type: "string", default: "100" },
    tokens: { type: "string", default: "64" },
    /** Flags of `up`, of every cluster. */
    flags: { type: "string", default: "" },
    /** One more cluster, of the first checkout, with these flags besides. */
    also: { type: "string", multiple: true, default: [] },
    threads: { type: "string", default: "1" },
  },
});
/** As `apps/worker/src/program.ts` sets them. */
const WORKER_V8 = ["--no-incremental-marking", "--semi-space-growth-factor=1", "--no-parallel-scavenge"];
const WARM_UPS = 2;

type Load = Readonly<{ streams: number; requests: number }>;
/** Of one round of one side. */
type Round = Readonly<{
  tokensPerSecond: number;
  /** Milliseconds to the first token, median. */
  firstMs: number;
  /** Between chunks, median. */
  gapMs: number;
  /** Microseconds of CPU a token, by who took them. */
  cpu: ReadonlyMap<string, number>;
  /** Microseconds a token of the worker's steps, by part; and of what lies between steps. */
  parts: ReadonlyMap<string, number>;
  stepCount: number;
}>;
interface Side {
  readonly name: string;
  round(load: Load): Promise<Round>;
}

await using held = new AsyncDisposableStack();
const promptTokens = Number(values["prompt-tokens"]);
const tokens = Number(values.tokens);
const engines = await Promise.all(values.checkout.slice(0, 1).map(engineSide));
const clusters: Side[] = [];
for (const checkout of values.checkout) clusters.push(await servedSide(checkout, ""));
for (const flags of values.also) clusters.push(await servedSide(values.checkout[0] ?? "", flags));
const sides = [...engines, ...clusters];
const levels = values.streams.split(",").map(Number);
for (let warm = 0; warm < WARM_UPS; warm++)
  for (const side of sides) for (const streams of levels) await side.round({ streams, requests: 2 * streams });
console.log(`load of the machine ${loadavg()[0]?.toFixed(1)} at the start; ${values.rounds} rounds, in turns; medians`);
for (const streams of levels) {
  const rounds = new Map<Side, Round[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const side of round % 2 === 0 ? sides : sides.toReversed())
      rounds.get(side)?.push(await side.round({ streams, requests: streams * Number(values.requests) }));
  tell(streams, rounds);
}
console.log(`load of the machine ${loadavg()[0]?.toFixed(1)} at the end`);

function tell(streams: number, rounds: ReadonlyMap<Side, readonly Round[]>): void {
  console.log(
    `\n${streams} streams\n| | tokens/s (upper quartile) | first token, ms | gap, ms | steps | us of CPU a token | us of steps a token |\n|---|---|---|---|---|---|---|`,
  );
  for (const [side, found] of rounds) {
    const middle = (pick: (round: Round) => number) => median(found.map(pick));
    const table = (pick: (round: Round) => ReadonlyMap<string, number>) =>
      [...new Set(found.flatMap((round) => [...pick(round).keys()]))]
        .map((name) => `${name} ${middle((round) => pick(round).get(name) ?? 0).toFixed(0)}`)
        .join(", ");
    const upper = quantile(
      found.map((round) => round.tokensPerSecond),
      0.75,
    );
    const cells = [
      `${middle((round) => round.tokensPerSecond).toFixed(0)} (${upper.toFixed(0)})`,
      middle((round) => round.firstMs).toFixed(1),
      middle((round) => round.gapMs).toFixed(2),
      middle((round) => round.stepCount).toFixed(0),
      table((round) => round.cpu),
      table((round) => round.parts),
    ];
    console.log(`| ${[side.name, ...cells].join(" | ")} |`);
  }
}

async function engineSide(): Promise<Side> {
  const child = fork(
    join(import.meta.dirname, "serving/closed-engine.ts"),
    [resolve(values.model), "18", "512", values.threads],
    {
      execArgv: ["--conditions=@drover/source", ...WORKER_V8],
    },
  );
  held.defer(() => void child.disconnect());
  await once(child, "message");
  return { name: "engine alone", round: (load) => engineRound(child, load) };
}

async function engineRound(child: ChildProcess, { streams, requests }: Load): Promise<Round> {
  const query: EngineLoadQuery = { streams, requests, promptTokens, tokens };
  const before = threadsOf(child.pid ?? 0);
  child.send(query);
  const [answer] = (await once(child, "message")) as [EngineLoadAnswer];
  const after = threadsOf(child.pid ?? 0);
  return {
    tokensPerSecond: (answer.tokens * 1000) / answer.ms,
    firstMs: median(answer.firstMs),
    gapMs: (answer.steadyMs * streams) / answer.steadyTokens,
    cpu: spent(before, after, answer.tokens),
    parts: partsOf(
      new Map(Object.entries(answer.parts).map(([part, ms]) => [part, ms * 1000])),
      answer.ms,
      answer.tokens,
    ),
    stepCount: answer.stepCount,
  };
}

async function servedSide(checkout: string, more: string): Promise<Side> {
  const flags = `--model ${resolve(values.model)} --threads ${values.threads} ${values.flags} ${more}`;
  const cluster = await startCluster(checkout, { expertWorkers: "0", flags });
  held.defer(() => cluster.end());
  const admins = await workerAdmins(cluster);
  return { name: `served, ${checkout} ${more}`, round: (load) => servedRound(cluster, admins, load) };
}

async function servedRound(
  cluster: ServedCluster,
  admins: readonly string[],
  { streams, requests }: Load,
): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  const gaps: number[] = [];
  const first: number[] = [];
  const steps = await stepSeconds(admins);
  const before = new Map([...clusterThreads(cluster), ["client", ownCpuUs()]]);
  const began = performance.now();
  let asked = 0;
  await Promise.all(
    Array.from({ length: streams }, async () => {
      while (asked++ < requests) {
        const times = await streamCompletion(cluster.url, { tokens, prompt: randomIds(promptTokens), agent });
        first.push(times.firstMs);
        gaps.push(...times.gapsMs);
      }
    }),
  );
  const ms = performance.now() - began;
  const after = new Map([...clusterThreads(cluster), ["client", ownCpuUs()]]);
  const stepsAfter = await stepSeconds(admins);
  agent.destroy();
  const count = requests * tokens;
  const partsUs = [...stepsAfter.parts].map(([part, s]) => [part, (s - (steps.parts.get(part) ?? 0)) * 1e6] as const);
  return {
    tokensPerSecond: (count * 1000) / ms,
    firstMs: median(first),
    gapMs: median(gaps),
    cpu: spent(before, after, count),
    parts: partsOf(new Map(partsUs), ms, count),
    stepCount: stepsAfter.count - steps.count,
  };
}

/** Microseconds a token of each part of the steps, and what of the wall's time is in none. */
function partsOf(partsUs: ReadonlyMap<string, number>, ms: number, count: number): Map<string, number> {
  const inSteps = [...partsUs.values()].reduce((sum, us) => sum + us, 0);
  return new Map([...partsUs, ["between", ms * 1000 - inSteps] as const].map(([part, us]) => [part, us / count]));
}

function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Who took how much between two looks, a token. What took less than a microsecond is left out. */
function spent(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  count: number,
): Map<string, number> {
  const each = [...after].map(([name, us]) => [name, (us - (before.get(name) ?? 0)) / count] as const);
  return new Map(each.filter(([, us]) => us >= 1));
}

/** CPU so far of the cluster's processes, in microseconds, the worker's by thread. */
function clusterThreads(cluster: ServedCluster): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of cluster.pids()) {
    const name = nameOf(pid);
    if (name?.startsWith("worker") === true)
      for (const [thread, us] of threadsOf(pid)) add(found, `worker ${thread}`, us);
    else if (name !== undefined) {
      found.set(`${name} main`, cpuOf(pid, "main"));
      found.set(`${name} rest`, cpuOf(pid) - cpuOf(pid, "main"));
    }
  }
  return found;
}

/** CPU so far of a process's threads, in microseconds, by their names; its first one is `main`. */
function threadsOf(pid: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const name = task === String(pid) ? "main" : readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim();
      const us = Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1000;
      add(found, name, us);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function add(sums: Map<string, number>, name: string, us: number): void {
  sums.set(name, (sums.get(name) ?? 0) + us);
}

async function workerAdmins({ url }: ServedCluster): Promise<string[]> {
  const text = await (await fetch(`${url}/debug/cluster`)).text();
  const found = [...text.matchAll(/"admin_?[aA]ddress": ?"([^"]+)"/g)].map(([, address]) => `http://${address}`);
  if (found.length === 0) throw new Error("the router knows no worker's admin port");
  return found;
}

/** Where workers' steps' time went so far, seconds, and how many there were. */
async function stepSeconds(admins: readonly string[]): Promise<{ parts: Map<string, number>; count: number }> {
  const parts = new Map<string, number>();
  let count = 0;
  for (const admin of admins) {
    const text = await (await fetch(`${admin}/metrics`)).text();
    for (const [, part = "", s] of text.matchAll(/^drover_step_seconds_by_part_total\{.*part="(\w+)".*\} (\S+)$/gm))
      add(parts, part, Number(s));
    count += Number(/^drover_step_seconds_count\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  }
  return { parts, count };
}
