import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type StreamTimes, streamCompletion } from "./serving/completion-stream.ts";
import { median, quantile } from "./serving/figures.ts";
import { tellProfile } from "./serving/profile-table.ts";
import { cpuOf, nameOf, startCluster } from "./serving/served-cluster.ts";

/**
 * Where every microsecond of a token goes: a whole cluster under load, each of its processes profiled on its main thread, folded into a table
 * by process, library and function, in microseconds a token. Beside it the CPU that each process took, with all of its threads: for a token
 * while all streams ran, what a request took besides, and while nobody asked. With profiles, one round is all there is.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", default: join(import.meta.dirname, "..") },
    streams: { type: "string", default: "32" },
    tokens: { type: "string", default: "512" },
    words: { type: "string", default: "100" },
    rounds: { type: "string", default: "1" },
    "expert-workers": { type: "string", default: "4" },
    flags: { type: "string", default: "" },
    functions: { type: "string", default: "12" },
    "idle-seconds": { type: "string", default: "10" },
    "no-profile": { type: "boolean", default: false },
    /** Steps compute nothing and take so many milliseconds: what is left is all that a token costs beside the arithmetic. */
    "free-steps": { type: "string" },
  },
});
const WARM_UP_STREAMS = 8;
const PROFILE_MS = 1500;

const folder = mkdtempSync(join(tmpdir(), "drover-profiles-"));
const freeStepMs = values["free-steps"];
const preloads = [
  ...(values["no-profile"] ? [] : [join(import.meta.dirname, "serving/profile-recorder.ts")]),
  // Of the checkout whose model it takes the place of.
  ...(freeStepMs === undefined ? [] : [join(resolve(values.checkout), "bench/serving/free-steps.ts")]),
];
const cluster = await startCluster(values.checkout, {
  expertWorkers: values["expert-workers"],
  flags: values.flags,
  env: {
    PROFILE_FOLDER: folder,
    ...(freeStepMs !== undefined && { FREE_STEP_MS: freeStepMs }),
    NODE_OPTIONS: preloads.map((preload) => `--import=${pathToFileURL(preload).href}`).join(" "),
  },
});
try {
  await measure();
} finally {
  await cluster.end();
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const streams = Number(values.streams);
  const tokens = Number(values.tokens);
  await load(WARM_UP_STREAMS, 64);
  await load(streams, 64);
  const pids = cluster.pids().filter((pid) => nameOf(pid) !== undefined);
  const signal = () => {
    if (!values["no-profile"]) for (const pid of pids.slice(1)) process.kill(pid, "SIGUSR2");
  };
  const look = async (): Promise<Look> => ({
    ms: performance.now(),
    tokens: await generatedCount(),
    cpuUs: pids.map((pid) => cpuOf(pid)),
    mainUs: pids.map((pid) => cpuOf(pid, "main")),
  });
  const whole: Look[] = [];
  const steady: Look[] = [];
  const found: StreamTimes[] = [];
  const rounds = values["no-profile"] ? Number(values.rounds) : 1;
  for (let round = 0; round < rounds; round++) {
    whole.push(await look());
    const ended = new AbortController();
    const began = Promise.withResolvers<void>();
    const loading = load(streams, tokens, () => began.resolve(), ended);
    await began.promise;
    signal();
    // To begin a profile takes a while, which is not the stream's.
    if (!values["no-profile"]) await sleep(PROFILE_MS);
    steady.push(await look());
    await new Promise((done) => ended.signal.addEventListener("abort", done, { once: true }));
    steady.push(await look());
    signal();
    found.push(...(await loading));
    whole.push(await look());
  }
  await sleep(PROFILE_MS);
  const running = spentBetween(steady);
  const all = spentBetween(whole);
  const gaps = found.flatMap(({ gapsMs }) => gapsMs);
  console.log(
    `${streams} streams, ${(all.tokens / all.seconds).toFixed(0)} tokens/s, ${(running.tokens / running.seconds).toFixed(0)} while all of them ran; load of the machine ${loadavg()[0]?.toFixed(1)}; first token ${median(found.map(({ firstMs }) => firstMs)).toFixed(0)} ms; between chunks ${[0.5, 0.9, 0.99, 0.999].map((share) => `p${share * 100} ${quantile(gaps, share).toFixed(1)}`).join(", ")} ms`,
  );
  const idle = await idlePercent(pids);
  console.log(
    "\n| process | us a token while streams ran | us a request besides | % of a core while nobody asks |\n|---|---|---|---|",
  );
  const sum = (us: readonly number[]) => us.reduce((total, one) => total + one, 0);
  const row = (name: string, steadyUs: number, allUs: number, percent: number) => {
    const aToken = steadyUs / running.tokens;
    console.log(
      `| ${name} | ${aToken.toFixed(1)} | ${((allUs - aToken * all.tokens) / found.length).toFixed(0)} | ${percent.toFixed(2)} |`,
    );
  };
  for (const [at, pid] of pids.entries())
    row(nameOf(pid) ?? "", running.cpuUs[at] ?? Number.NaN, all.cpuUs[at] ?? Number.NaN, idle[at] ?? Number.NaN);
  row("all", sum(running.cpuUs), sum(all.cpuUs), sum(idle));
  if (values["no-profile"]) return;
  for (const [at, pid] of pids.entries()) if (at > 0) tell(pid, (running.mainUs[at] ?? Number.NaN) / running.tokens);
}

function tell(pid: number, us: number): void {
  tellProfile(folder, pid, { name: nameOf(pid) ?? "", us, noun: "token", functions: Number(values.functions) });
}

/** What was so far, when somebody looked. */
type Look = Readonly<{ ms: number; tokens: number; cpuUs: readonly number[]; mainUs: readonly number[] }>;

/** What passed between each look and the next, of pairs of them. */
function spentBetween(pairs: readonly Look[]) {
  const differences = (pick: (look: Look) => number) =>
    pairs.reduce((sum, look, at) => sum + (at % 2 === 0 ? -pick(look) : pick(look)), 0);
  const columns = (pick: (look: Look) => readonly number[]) =>
    (pairs[0] === undefined ? [] : pick(pairs[0])).map((_, at) => differences((look) => pick(look)[at] ?? Number.NaN));
  return {
    seconds: differences(({ ms }) => ms) / 1000,
    tokens: differences(({ tokens }) => tokens),
    cpuUs: columns(({ cpuUs }) => cpuUs),
    mainUs: columns(({ mainUs }) => mainUs),
  };
}

async function idlePercent(pids: readonly number[]): Promise<readonly number[]> {
  const seconds = Number(values["idle-seconds"]);
  const before = pids.map((pid) => cpuOf(pid));
  await sleep(seconds * 1000);
  return pids.map((pid, at) => (cpuOf(pid) - (before[at] ?? Number.NaN)) / seconds / 1e4);
}

/** Tokens that the router has passed on since it started. */
async function generatedCount(): Promise<number> {
  const text = await (await fetch(`${cluster.url}/metrics`)).text();
  return Number(/^vllm:generation_tokens_total\{.*\} (\d+)$/m.exec(text)?.[1]);
}

/** So many streams at once, each to its end. Says when all of them have begun, and aborts when the first one is over. */
async function load(streams: number, tokens: number, onAllBegun?: () => void, ended = new AbortController()) {
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  const words = Number(values.words);
  let begun = 0;
  const onFirst = () => {
    if (++begun === streams) onAllBegun?.();
  };
  try {
    return await Promise.all(
      Array.from({ length: streams }, async () => {
        const times = await streamCompletion(cluster.url, { tokens, words, agent, onFirst });
        ended.abort();
        return times;
      }),
    );
  } finally {
    agent.destroy();
  }
}
