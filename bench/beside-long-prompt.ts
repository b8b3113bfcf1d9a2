import { request } from "node:http";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { seededRandom } from "@drover/testkit";
import { readSse } from "../tests/e2e/read-sse.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What a long prompt does to short requests, and they to it, on one cluster: eight streams and a new short request twice a second, without and
 * beside a prompt of 131,072 tokens. The prompt runs once; at each of some depths the streams run beside it for a while, and between them it is
 * alone, which is how its slowdown is known. A request may take ten minutes, so all of it must.
 *
 * Back of the envelope for nano on one core at 75 GFLOP/s: a decoding step of eight takes 8 ms, so a step of 20 ms leaves the prompt 12. A row
 * takes 0.15 ms at the start: 80 rows a step, 4,000 tokens/s. At 131,072 tokens a step reads 134 MB of keys and values, 10 to 19 ms, and each row
 * takes 4 ms: one row a step, which takes some 25 ms whatever the budget. Bounded by 512 rows instead, a step takes 2 s there. In between, where the reads
 * are most of what a few rows cost, every other step is half again as long and has several (`bench/deep-prompt.ts`).
 */
const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "131072" },
    at: { type: "string", default: "0,32768,65536,98304,122880" },
    /** Seconds of each measurement beside the prompt, and of those before and after it. */
    seconds: { type: "string", default: "20" },
    streams: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    "step-ms": { type: "string" },
  },
});
const TOKENS = Number(values.tokens);
const WINDOW_MS = Number(values.seconds) * 1000;
const WARM_MS = 3000;
const ORDINARY_IDS = 3000;
const SHORT_PROMPT_TOKENS = 40;
const STREAM_TOKENS = 2000;
const NEWCOMER_MS = 500;

const random = seededRandom(Number(values.seed));
const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * ORDINARY_IDS));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

await using cluster = await TestCluster.start({
  queue: "embedded",
  flags: ["--kv-memory", "1GiB", ...(values["step-ms"] === undefined ? [] : ["--step-ms", values["step-ms"]])],
});
const admin = await cluster.adminUrl("attention-0");

type Window = { name: string; gapsMs: number[]; firstMs: number[]; elapsedMs: number; promptRate: number };
let now: Window | undefined;

async function* tokensOf(prompt: readonly number[], maxTokens: number, signal: AbortSignal): AsyncGenerator<string> {
  const body = { model: "nano", prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true, stream: true };
  const response = await cluster.post("/v1/completions", body, signal);
  if (!response.ok || response.body === null) throw new Error(`${response.status}: ${await response.text()}`);
  yield* readSse(response.body);
}

/** One token of a prompt. Not with `fetch`, which gives up when nothing has come for five minutes. */
function whole(prompt: readonly number[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers: { "content-type": "application/json" }, signal };
    const call = request(`${cluster.url}/v1/completions`, options, (response) => {
      response.resume().on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`the long prompt was answered with ${response.statusCode}`));
      });
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify({ model: "nano", prompt, max_tokens: 1, temperature: 0 }));
  });
}

/** A stream that is started again when it ends, until the signal aborts. */
async function stream(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let last: number | undefined;
    for await (const _ of tokensOf(ids(SHORT_PROMPT_TOKENS), STREAM_TOKENS, signal)) {
      const at = performance.now();
      if (last !== undefined) now?.gapsMs.push(at - last);
      last = at;
    }
  }
}

async function newcomers(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const into = now;
    const began = performance.now();
    for await (const _ of tokensOf(ids(SHORT_PROMPT_TOKENS), 1, signal)) {
      into?.firstMs.push(performance.now() - began);
      break;
    }
    await pause(Math.max(0, NEWCOMER_MS - (performance.now() - began)));
  }
}

/** How far the long prompt is; 0 while only short ones wait. */
async function position(): Promise<number> {
  const worker = await cluster.askMember("attention-0", "GET /debug/worker");
  const { load } = (await worker.json()) as { load: { pendingTokenCount: number } };
  return load.pendingTokenCount > SHORT_PROMPT_TOKENS * 10 ? TOKENS - load.pendingTokenCount : 0;
}

/** Streams and newcomers for a while. */
async function measure(name: string): Promise<Window> {
  const window: Window = { name, gapsMs: [], firstMs: [], elapsedMs: 0, promptRate: 0 };
  const stop = new AbortController();
  const running = [
    ...Array.from({ length: Number(values.streams) }, () => stream(stop.signal)),
    newcomers(stop.signal),
  ].map((one) =>
    one.catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  await pause(WARM_MS);
  const from = await position();
  const began = performance.now();
  now = window;
  await Promise.race([pause(WINDOW_MS), Promise.all(running)]);
  now = undefined;
  window.elapsedMs = performance.now() - began;
  window.promptRate = Math.max(0, (((await position()) - from) * 1000) / window.elapsedMs);
  stop.abort();
  await Promise.all(running);
  return window;
}

/** How many of the worker's steps took how much of what was predicted, cumulative. */
async function predictions(): Promise<string> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const counts = [...text.matchAll(/^drover_step_ratio_bucket\{.*le="([^"]+)".*\} (\d+)/gm)];
  const total = Number(counts.at(-1)?.[2] ?? 1);
  return counts.map(([, bound, count]) => `${bound}: ${((100 * Number(count)) / total).toFixed(0)}%`).join(", ");
}

function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function row({ name, gapsMs, firstMs, elapsedMs, promptRate }: Window, aloneRate: number | undefined): string {
  const gaps = [0.5, 0.99].map((q) => quantile(gapsMs, q).toFixed(1));
  const firsts = [0.5, 0.9].map((q) => quantile(firstMs, q).toFixed(0));
  const rate = aloneRate === undefined ? ["", ""] : [promptRate.toFixed(0), aloneRate.toFixed(0)];
  return `| ${[name, ...gaps, ...firsts, ((gapsMs.length * 1000) / elapsedMs).toFixed(0), ...rate].join(" | ")} |`;
}

const load = (loadavg()[0] ?? 0).toFixed(1);
console.log(
  `nano, ${TOKENS} tokens beside ${values.streams} streams; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; seed ${values.seed}; load ${load} before it began`,
);
console.log(
  "| window | inter-token p50 ms | p99 | first token p50 ms | p90 | tokens/s | prompt tokens/s beside | alone after it |",
);
console.log("|---|---|---|---|---|---|---|---|");
const quiet: Window[] = [];
const measureQuiet = async (name: string) => {
  const window = await measure(name);
  quiet.push(window);
  console.log(row(window, undefined));
};
await measureQuiet("before");
const beside: Window[] = [];
const over = new AbortController();
let done = false;
const long = whole(ids(TOKENS), over.signal)
  .catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  })
  .finally(() => (done = true));
let waiting: Window | undefined;
for (const depth of [...values.at.split(",").map(Number), TOKENS]) {
  const from = await position();
  const began = performance.now();
  // A window at its depth; the prompt is alone until the next, for a few seconds at least.
  while (!done && (await position()) < depth) await pause(100);
  while (!done && waiting !== undefined && performance.now() - began < WARM_MS) await pause(100);
  const aloneRate = (((done ? TOKENS : await position()) - from) * 1000) / (performance.now() - began);
  if (waiting !== undefined) {
    beside.push(waiting);
    console.log(row(waiting, aloneRate));
  }
  if (done || depth === TOKENS) break;
  waiting = await measure(`at ${depth}`);
}
over.abort();
await long;
await measureQuiet("after");

const all = (list: readonly Window[], of: (w: Window) => number[], q: number) => quantile(list.flatMap(of), q);
const ratio = (of: (w: Window) => number[], q: number) => {
  return `${(all(beside, of, q) / all(quiet, of, q)).toFixed(2)}x`;
};
console.log(
  `all windows: inter-token p50 ${ratio((w) => w.gapsMs, 0.5)}, p99 ${ratio((w) => w.gapsMs, 0.99)} (aim 2x); first token p50 ${ratio((w) => w.firstMs, 0.5)}, p90 ${ratio((w) => w.firstMs, 0.9)} (aim 3x)`,
);
console.log(`measured by predicted length of steps, at most: ${await predictions()}`);
// Its connections would hold the process, and the processes of the cluster outlive it.
await cluster[Symbol.asyncDispose]();
process.exit(0);
