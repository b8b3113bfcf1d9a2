import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { seededRandom } from "@drover/testkit";
import { readSse } from "../tests/e2e/read-sse.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What a long prompt does to short requests, and they to it, on one cluster: eight streams and a new short request each second, without and
 * with a prompt of 131,072 tokens, then that prompt alone as far as it came beside them.
 *
 * Back of the envelope for nano on one core at 75 GFLOP/s: a decoding step of eight takes 8 ms, so a step of 20 ms leaves the prompt 12. A row takes
 * 0.15 ms at the start: 80 rows a step, 4,000 tokens/s. At 131,072 tokens a step reads 134 MB of keys and values, 19 ms, and each row takes 4.6 ms: one row a step, so there
 * a step takes 32 ms whatever the budget. Without a budget in milliseconds a step of 512 rows takes 2.4 s there.
 */
const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "131072" },
    /** Of quiet before and after; and how long the prompt runs beside the streams at most. */
    quiet: { type: "string", default: "20" },
    seconds: { type: "string", default: "540" },
    streams: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    "step-ms": { type: "string" },
    /** The prompt by itself, for the slowdown; measured as far as it came beside the streams. */
    alone: { type: "boolean", default: false },
  },
});
const TOKENS = Number(values.tokens);
const ORDINARY_IDS = 3000;
const SHORT_PROMPT_TOKENS = 40;
const STREAM_TOKENS = 2000;

const random = seededRandom(Number(values.seed));
const ids = (count: number) => Array.from({ length: count }, () => Math.floor(random() * ORDINARY_IDS));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

await using cluster = await TestCluster.start({
  queue: "embedded",
  flags: ["--kv-memory", "1GiB", ...(values["step-ms"] === undefined ? [] : ["--step-ms", values["step-ms"]])],
});
const admin = await cluster.adminUrl("attention-0");

type Phase = { gapsMs: number[]; firstMs: number[]; elapsedMs: number };
const phase = (): Phase => ({ gapsMs: [], firstMs: [], elapsedMs: 0 });
let now: Phase | undefined;

async function* tokensOf(prompt: readonly number[], maxTokens: number, signal: AbortSignal): AsyncGenerator<string> {
  const body = { model: "nano", prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true, stream: true };
  const response = await cluster.post("/v1/completions", body, signal);
  if (!response.ok || response.body === null) throw new Error(`${response.status}: ${await response.text()}`);
  yield* readSse(response.body);
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
    await pause(Math.max(0, 1000 - (performance.now() - began)));
  }
}

/** Prompt rows that wait on the worker; short ones are few and soon gone. */
async function pendingTokens(): Promise<number> {
  const { load } = (await (await fetch(`${admin}/debug/worker`)).json()) as { load: { pendingTokenCount: number } };
  return load.pendingTokenCount;
}

/** How many of the worker's steps took how much of what was predicted, cumulative. */
async function predictions(): Promise<string> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const counts = [...text.matchAll(/^drover_step_ratio_bucket\{.*le="([^"]+)".*\} (\d+)/gm)];
  const total = Number(counts.at(-1)?.[2] ?? 1);
  return counts.map(([, bound, count]) => `${bound}: ${((100 * Number(count)) / total).toFixed(0)}%`).join(", ");
}

async function measure(into: Phase, ms: number): Promise<void> {
  const began = performance.now();
  now = into;
  await pause(ms);
  now = undefined;
  into.elapsedMs += performance.now() - began;
}

/** Runs the long prompt until it is computed, has come to `position`, or the time is over. Where it came to, and when, by quarters. */
async function longPrompt(
  position: number,
  msMax: number,
): Promise<{ position: number; elapsedMs: number; progress: string[] }> {
  const over = new AbortController();
  const began = performance.now();
  let done = false;
  const first = (async () => {
    for await (const _ of tokensOf(ids(TOKENS), 1, over.signal)) break;
    done = true;
  })().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  let reached = 0;
  let marks = 1;
  const progress: string[] = [];
  const elapsed = () => performance.now() - began;
  while (!done && reached < position && elapsed() < msMax) {
    await pause(200);
    const pending = await pendingTokens();
    if (pending > SHORT_PROMPT_TOKENS * 10) reached = TOKENS - pending;
    while (reached > (marks * TOKENS) / 8) {
      progress.push(`${Math.round((marks * TOKENS) / 8)} after ${(elapsed() / 1000).toFixed(0)} s`);
      marks += 1;
    }
  }
  const elapsedMs = elapsed();
  over.abort();
  await first;
  return { position: done ? TOKENS : reached, elapsedMs, progress };
}

function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

const line = (name: string, { gapsMs, firstMs, elapsedMs }: Phase) =>
  `| ${name} | ${(elapsedMs / 1000).toFixed(0)} s | ${[0.5, 0.99].map((q) => quantile(gapsMs, q).toFixed(1)).join(" | ")} | ${Math.max(...gapsMs).toFixed(0)} | ${[0.5, 0.9].map((q) => quantile(firstMs, q).toFixed(0)).join(" | ")} | ${((gapsMs.length * 1000) / elapsedMs).toFixed(0)} |`;

const stop = new AbortController();
const quiet = phase();
const beside = phase();
const running = [
  ...Array.from({ length: Number(values.streams) }, () => stream(stop.signal)),
  newcomers(stop.signal),
].map((one) =>
  one.catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  }),
);
await pause(5000);
await measure(quiet, Number(values.quiet) * 1000);
const load = loadavg()[0] ?? 0;
now = beside;
const long = await longPrompt(TOKENS, Number(values.seconds) * 1000);
now = undefined;
beside.elapsedMs = long.elapsedMs;
await pause(2000);
await measure(quiet, Number(values.quiet) * 1000);
stop.abort();
await Promise.all(running);

console.log(
  `nano, ${TOKENS} tokens beside ${values.streams} streams; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; seed ${values.seed}; load ${load.toFixed(1)} before the long prompt`,
);
console.log(
  "| phase | time | inter-token p50 ms | p99 | most | first token p50 ms | p90 | tokens/s |\n|---|---|---|---|---|---|---|---|",
);
console.log(line("without", quiet));
console.log(line("with", beside));
const ratio = (of: (p: Phase) => number) => `${(of(beside) / of(quiet)).toFixed(2)}x`;
console.log(
  `inter-token p99 ${ratio((p) => quantile(p.gapsMs, 0.99))} (aim 2x), first token p50 ${ratio((p) => quantile(p.firstMs, 0.5))}, p90 ${ratio((p) => quantile(p.firstMs, 0.9))} (aim 3x)`,
);
console.log(
  `long prompt: ${long.position} tokens in ${(long.elapsedMs / 1000).toFixed(0)} s beside the streams; ${long.progress.join(", ")}`,
);
console.log(`measured by predicted length of steps, at most: ${await predictions()}`);
if (values.alone) {
  const alone = await longPrompt(long.position, Number(values.seconds) * 1000);
  console.log(
    `alone: ${alone.position} in ${(alone.elapsedMs / 1000).toFixed(0)} s; slowdown ${(long.elapsedMs / alone.elapsedMs).toFixed(1)}x; ${alone.progress.join(", ")}`,
  );
}
process.exit(0);
