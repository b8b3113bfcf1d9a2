import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { streamCompletion } from "./serving/completion-stream.ts";
import { median } from "./serving/figures.ts";
import { startLoneRouter } from "./serving/lone-router.ts";
import { tellProfile } from "./serving/profile-table.ts";
import { cpuOf, nameOf, type ServedCluster, startCluster, wakesOf } from "./serving/served-cluster.ts";

/**
 * What a request and a token cost a router, in CPU of all of its threads: one process stands for its cluster, and answers at once. Several checkouts take turns,
 * round by round, so that a change is held against what was before it in one run. With `--profile` there is one round more, whose CPU is told by library and
 * function of the main thread. `--cluster` has a whole cluster of each, whose attention worker's steps sleep, and tells of all of its processes.
 *
 * Usage: node scripts/run.mjs bench/request-cost.ts [--checkout DIR]... [--rounds 3] [--requests 500] [--clients 8] [--words 100] [--streams 32] [--tokens 300]
 * [--step-ms 5] [--warm-up 1000] [--idle-seconds 0] [--profile] [--functions 12] [--cluster [--queue embedded] [--expert-workers 0]]
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    queue: { type: "string", default: "embedded" },
    rounds: { type: "string", default: "3" },
    requests: { type: "string", default: "500" },
    clients: { type: "string", default: "8" },
    words: { type: "string", default: "100" },
    streams: { type: "string", default: "32" },
    tokens: { type: "string", default: "300" },
    "step-ms": { type: "string", default: "5" },
    "warm-up": { type: "string", default: "1000" },
    "idle-seconds": { type: "string", default: "0" },
    "expert-workers": { type: "string", default: "0" },
    cluster: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    functions: { type: "string", default: "12" },
  },
});
const [requestCount, clients, words] = [Number(values.requests), Number(values.clients), Number(values.words)];
const [streams, tokens, idleSeconds] = [Number(values.streams), Number(values.tokens), Number(values["idle-seconds"])];
const PROFILE_MS = 1500;

/** Of one round, by process: microseconds of CPU a request and a token, and while nobody asks percent of a core, and how often a second its main thread wakes. */
type Spent = Readonly<{
  requestUs: number;
  mainRequestUs: number;
  tokenUs: number;
  mainTokenUs: number;
  idlePercent: number;
  mainIdlePercent: number;
  idleWakes: number;
}>;
type Side = Readonly<{
  checkout: string;
  cluster: ServedCluster;
  pids: readonly number[];
  spent: ReadonlyMap<string, Spent[]>;
  paces: { requests: number[]; tokens: number[]; firstMs: number[] };
}>;

const folder = mkdtempSync(join(tmpdir(), "drover-profiles-"));
const sides: Side[] = [];
try {
  for (const checkout of values.checkout) sides.push(await start(resolve(checkout)));
  for (const side of sides) await requests(side.cluster.url, Number(values["warm-up"]));
  for (const side of sides) await tokensOf(side.cluster.url, 64);
  for (let round = 0; round < Number(values.rounds); round++) for (const side of sides) await measure(side);
  print();
  if (values.profile) for (const side of sides) await profile(side);
} finally {
  for (const { cluster } of sides) await cluster.end();
  rmSync(folder, { recursive: true });
}

async function start(checkout: string): Promise<Side> {
  // Of the checkout whose model it takes the place of.
  const preloads = values.cluster ? [join(checkout, "bench/serving/free-steps.ts")] : [];
  if (values.profile) preloads.push(join(import.meta.dirname, "serving/profile-recorder.ts"));
  const env = {
    PROFILE_FOLDER: folder,
    FREE_STEP_MS: values["step-ms"],
    NODE_OPTIONS: preloads.map((preload) => `--import=${pathToFileURL(preload).href}`).join(" "),
  };
  const { queue } = values;
  const cluster = values.cluster
    ? await startCluster(checkout, { expertWorkers: values["expert-workers"], flags: "", queue, env })
    : await startLoneRouter(checkout, { stepMs: values["step-ms"], env });
  const pids = cluster.pids().filter((pid) => nameOf(pid) !== undefined);
  const spent = new Map(pids.map((pid) => [nameOf(pid) ?? "", []]));
  return { checkout, cluster, pids, spent, paces: { requests: [], tokens: [], firstMs: [] } };
}

async function measure({ cluster: { url }, pids, spent, paces }: Side): Promise<void> {
  const look = () => pids.flatMap((pid) => [cpuOf(pid), cpuOf(pid, "main")]);
  const beganUs = look();
  const [beganMs, firstsMs] = [performance.now(), await requests(url, requestCount)];
  paces.requests.push((requestCount * 1000) / (performance.now() - beganMs));
  paces.firstMs.push(median(firstsMs));
  const askedUs = look();
  const streamedMs = performance.now();
  await tokensOf(url, tokens);
  paces.tokens.push((streams * tokens * 1000) / (performance.now() - streamedMs));
  const toldUs = look();
  const wakes = pids.map(wakesOf);
  await sleep(idleSeconds * 1000);
  const idleUs = look();
  const idleWakes = pids.map((pid, index) => wakesOf(pid) - (wakes[index] ?? Number.NaN));
  for (const [index, pid] of pids.entries()) {
    const us = (at: number, before: readonly number[], after: readonly number[]) =>
      (after[at] ?? Number.NaN) - (before[at] ?? Number.NaN);
    const [all, main] = [2 * index, 2 * index + 1];
    const requestUs = us(all, beganUs, askedUs) / requestCount;
    const mainRequestUs = us(main, beganUs, askedUs) / requestCount;
    spent.get(nameOf(pid) ?? "")?.push({
      requestUs,
      mainRequestUs,
      tokenUs: (us(all, askedUs, toldUs) - streams * requestUs) / (streams * tokens),
      mainTokenUs: (us(main, askedUs, toldUs) - streams * mainRequestUs) / (streams * tokens),
      idlePercent: us(all, toldUs, idleUs) / idleSeconds / 1e4,
      mainIdlePercent: us(main, toldUs, idleUs) / idleSeconds / 1e4,
      idleWakes: (idleWakes[index] ?? Number.NaN) / idleSeconds,
    });
  }
}

/** So many requests of a token each by so many clients. Their milliseconds to the token. */
async function requests(url: string, count: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const firstsMs: number[] = [];
  let left = count;
  const ask = async () => {
    while (left-- > 0) firstsMs.push((await streamCompletion(url, { tokens: 1, words, agent })).firstMs);
  };
  await Promise.all(Array.from({ length: clients }, ask));
  agent.destroy();
  return firstsMs;
}

async function tokensOf(url: string, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  await Promise.all(Array.from({ length: streams }, () => streamCompletion(url, { tokens: count, words, agent })));
  agent.destroy();
}

function print(): void {
  console.log(
    `${clients} clients, ${requestCount} prompts of ${words} words, a token each; then ${streams} streams of ${tokens} tokens; ${values.cluster ? `queue ${values.queue}, ` : ""}steps of ${values["step-ms"]} ms; medians of ${values.rounds} rounds (least to most); load of the machine ${loadavg()[0]?.toFixed(1)}`,
  );
  const told = (all: readonly number[], digits: number) =>
    `${median(all).toFixed(digits)} (${Math.min(...all).toFixed(digits)} to ${Math.max(...all).toFixed(digits)})`;
  for (const { checkout, spent, paces } of sides) {
    console.log(
      `\n${checkout}: ${told(paces.requests, 0)} requests/s, first token ${told(paces.firstMs, 1)} ms, ${told(paces.tokens, 0)} tokens/s`,
    );
    console.log(
      "\n| process | CPU us a request | of it the main thread's | CPU us a token | of it the main thread's | % of a core while nobody asks | of it the main thread's | its wakes a second |\n|---|---|---|---|---|---|---|---|",
    );
    for (const [name, rounds] of spent) {
      const column = (pick: (one: Spent) => number, digits: number) => told(rounds.map(pick), digits);
      const idle = (pick: (one: Spent) => number, digits: number) => (idleSeconds === 0 ? "-" : column(pick, digits));
      console.log(
        `| ${name} | ${column((one) => one.requestUs, 0)} | ${column((one) => one.mainRequestUs, 0)} | ${column((one) => one.tokenUs, 1)} | ${column((one) => one.mainTokenUs, 1)} | ${idle((one) => one.idlePercent, 2)} | ${idle((one) => one.mainIdlePercent, 2)} | ${idle((one) => one.idleWakes, 1)} |`,
      );
    }
  }
}

/** One round with profiles, of requests and then of tokens. */
async function profile({ checkout, cluster: { url }, pids }: Side): Promise<void> {
  const phases = [
    { noun: "request", count: requestCount, run: () => requests(url, requestCount) },
    { noun: "token", count: streams * tokens, run: () => tokensOf(url, tokens) },
    ...(idleSeconds > 0 ? [{ noun: "second", count: idleSeconds, run: () => sleep(idleSeconds * 1000) }] : []),
  ];
  // `up` has no recorder.
  const watched = pids.filter((pid) => nameOf(pid) !== undefined && nameOf(pid) !== "drover");
  const signal = async () => {
    for (const pid of watched) process.kill(pid, "SIGUSR2");
    // To begin a profile takes a while, which is nobody's.
    await sleep(PROFILE_MS);
  };
  for (const { noun, count, run } of phases) {
    await signal();
    const before = watched.map((pid) => cpuOf(pid, "main"));
    await run();
    const after = watched.map((pid) => cpuOf(pid, "main"));
    await signal();
    console.log(`\n${checkout}, by ${noun}`);
    for (const [at, pid] of watched.entries()) {
      const us = ((after[at] ?? Number.NaN) - (before[at] ?? Number.NaN)) / count;
      tellProfile(folder, pid, { name: nameOf(pid) ?? "", us, noun, functions: Number(values.functions) });
    }
  }
}
