import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readSse } from "../tests/e2e/read-sse.ts";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * One of four expert workers at a tenth of its speed: it is stopped for nine tenths of every `--period` milliseconds, while 16 streams decode. Says how long the streams wait between two tokens
 * before, meanwhile, and after. Envelope: a call that meets a stopped worker waits some 45 ms; asked for elsewhere after a few, its rows cost one more hop, and the worker then gets none but
 * a try every ten seconds or so.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "15" },
    period: { type: "string", default: "100" },
    "expert-holders": { type: "string", default: "2" },
  },
});
const STREAMS = 16;
const seconds = Number(values.seconds);
const period = Number(values.period);
const flags = [`--expert-holders=${values["expert-holders"]}`];
await using cluster = await TestCluster.start({ expertWorkers: 4, flags });
let gaps: number[] = [];
let isOver = false;
let failureCount = 0;

async function client(index: number): Promise<void> {
  for (let turn = 0; !isOver; turn++) {
    const prompt = `Stream ${index}, turn ${turn}: once upon a time`;
    const body = { model: "nano", prompt, max_tokens: 200, ignore_eos: true, stream: true, temperature: 0 };
    const response = await cluster.post("/v1/completions", body);
    if (!response.ok || response.body === null) {
      failureCount += 1;
      await sleep(100);
      continue;
    }
    let lastMs: number | undefined;
    for await (const data of readSse(response.body)) {
      if (data.includes('"error"')) failureCount += 1;
      if (data === "[DONE]") break;
      const nowMs = performance.now();
      if (lastMs !== undefined) gaps.push(nowMs - lastMs);
      lastMs = nowMs;
    }
  }
}

/** Waits between two tokens, of all streams, over some seconds. */
async function measure(name: string): Promise<void> {
  gaps = [];
  await sleep(seconds * 1000);
  const sorted = gaps.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(1);
  console.log(`| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.99)} | ${at(0.999)} | ${at(1)} |`);
}

const clients = Array.from({ length: STREAMS }, (_, index) => client(index));
await sleep(8000);
console.log("| one of four expert workers | tokens | median ms | p99 | p99.9 | most |\n|---|---|---|---|---|---|");
await measure("healthy");
const [pid] = cluster.pids("--worker-id=experts-1");
if (pid === undefined) throw new Error("no process is experts-1");
let isSlow = true;
const slowing = (async () => {
  while (isSlow) {
    process.kill(pid, "SIGSTOP");
    await sleep(0.9 * period);
    process.kill(pid, "SIGCONT");
    await sleep(0.1 * period);
  }
})();
await measure("at a tenth of its speed");
await measure("the same, later");
isSlow = false;
await slowing;
await measure("healthy again");
isOver = true;
await Promise.all(clients);
console.log(`requests that failed: ${failureCount}`);
const admin = await cluster.adminUrl("attention-0");
const metrics = await (await fetch(`${admin}/metrics`)).text();
console.log(
  metrics
    .split("\n")
    .filter((line) => /^drover_exchange_(repeated|rows_total|missing)/.test(line))
    .join("\n"),
);
