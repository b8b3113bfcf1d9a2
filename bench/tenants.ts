import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FakeCollector } from "@drover/telemetry";
import { keyDigest } from "@drover/tenants";
import { quantile } from "./serving/figures.ts";
import {
  type FirstTokenParts,
  firstTokenParts,
  PARTS,
  sampledTrace,
  type TracedRequest,
} from "./serving/first-token-parts.ts";
import { startCluster } from "./serving/served-cluster.ts";

/**
 * What a tenant that floods costs another: one tenant asks at `--streams` at once, alone and beside another one that asks at `--times` as many at once with
 * prompts of the same length. Time to the first token of the first one, in turns of alone and beside, `--rounds` each, and where it goes, by its traces:
 * part by part, and once more of the slowest twentieth. A third case has both under one key, so that nobody is told apart: what it would be without.
 * Several checkouts (`--checkout DIR --checkout DIR`, each set up before) take turns, a cluster each.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    streams: { type: "string", default: "1" },
    times: { type: "string", default: "10" },
    requests: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    words: { type: "string", default: "60" },
    /** Leaves the third case out, which takes most of the time. */
    "not-own": { type: "boolean", default: false },
  },
});
const [streams, times, requests, rounds, words] = [
  values.streams,
  values.times,
  values.requests,
  values.rounds,
  values.words,
].map(Number) as [number, number, number, number, number];
const GENERATED = 16;
const SLOWEST = 0.05;

const folder = await mkdtemp(join(tmpdir(), "drover-tenants-"));
const file = join(folder, "keys");
const line = (name: string) => JSON.stringify({ name, key_sha256: keyDigest(`key-${name}`) });
await writeFile(file, `${line("light")}\n${line("flood")}\n`);
await using held = new AsyncDisposableStack();
held.defer(() => rm(folder, { recursive: true }));
const sides = await Promise.all(values.checkout.map(start));

async function start(checkout: string) {
  const collector = held.use(await FakeCollector.start());
  const flags = `--api-key-file ${file} --otlp-endpoint ${collector.url} --trace-ratio 0`;
  const cluster = await startCluster(checkout, { expertWorkers: "1", flags });
  held.defer(() => cluster.end());
  return { checkout, url: cluster.url, collector, found: new Map<string, FirstTokenParts[]>() };
}

let seed = 0;

/** Asks for a streamed completion of another prompt than all before, and reads it to its end. */
async function ask(url: string, key: string, isTraced: boolean): Promise<TracedRequest> {
  seed += 1;
  const prompt = Array.from({ length: words }, (_, i) => `w${(seed * 7919 + i * 31) % 997}`).join(" ");
  const { traceId, traceparent } = sampledTrace();
  const now = () => performance.timeOrigin + performance.now();
  const askedAtMs = now();
  const reply = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer key-${key}`,
      ...(isTraced && { traceparent }),
    },
    body: JSON.stringify({ model: "nano", prompt, max_tokens: GENERATED, ignore_eos: true, stream: true }),
  });
  if (!reply.ok || reply.body === null) throw new Error(`${reply.status} ${await reply.text()}`);
  let firstAtMs: number | undefined;
  for await (const _ of reply.body) firstAtMs ??= now();
  if (firstAtMs === undefined) throw new Error("an answer without a token");
  return { traceId, askedAtMs, firstAtMs };
}

type Side = (typeof sides)[number];

/** What the light tenant's requests took. */
async function measured({ url, collector }: Side): Promise<FirstTokenParts[]> {
  const asked = Array.from({ length: streams }, async () => {
    const mine: TracedRequest[] = [];
    for (let i = 0; i < requests; i++) mine.push(await ask(url, "light", true));
    return mine;
  });
  return firstTokenParts(collector, (await Promise.all(asked)).flat());
}

async function beside(side: Side, flood: string): Promise<FirstTokenParts[]> {
  let isOver = false;
  const flooding = Array.from({ length: streams * times }, async () => {
    while (!isOver) await ask(side.url, flood, false);
  });
  const found = await measured(side);
  isOver = true;
  await Promise.all(flooding);
  return found;
}

const cases = {
  alone: measured,
  "beside a flood of another tenant": (side: Side) => beside(side, "flood"),
  ...(!values["not-own"] && { "beside a flood of its own": (side: Side) => beside(side, "light") }),
};
for (const side of sides) await measured(side);
for (let round = 0; round < rounds; round++)
  for (const side of round % 2 === 0 ? sides : sides.toReversed())
    for (const [name, run] of Object.entries(cases))
      side.found.set(name, [...(side.found.get(name) ?? []), ...(await run(side))]);

console.log(
  `load of the machine ${loadavg()[0]?.toFixed(1)}; ${rounds} rounds of ${streams} x ${requests} requests, the flood ${times} times as many at once`,
);
for (const side of sides) tell(side);

function tell({ checkout, found }: Side): void {
  const firsts = (name: string) => (found.get(name) ?? []).map(({ firstMs }) => firstMs);
  const over = (name: string, share: number) =>
    (quantile(firsts(name), share) / quantile(firsts("alone"), share)).toFixed(2);
  if (sides.length > 1) console.log(`\n${checkout}`);
  console.log("\n| first token | p50 ms | p90 | p99 | most | over alone p50, p99 |\n|---|---|---|---|---|---|");
  for (const name of found.keys()) {
    const cells = [0.5, 0.9, 0.99, 1].map((share) => quantile(firsts(name), share).toFixed(0));
    console.log(`| ${[name, ...cells, `${over(name, 0.5)}, ${over(name, 0.99)}`].join(" | ")} |`);
  }
  const names = [...found.keys()];
  console.log(
    `\n| of it, ms on average; of the slowest twentieth | ${names.join(" | ")} |\n|---|${"---|".repeat(names.length)}`,
  );
  for (const part of [...PARTS, "rowsBeside"] as const) {
    const cells = names.map((name) => {
      const all = found.get(name) ?? [];
      const slowest = all.toSorted((a, b) => b.firstMs - a.firstMs).slice(0, Math.ceil(SLOWEST * all.length));
      return [all, slowest].map((list) => mean(list.map((one) => one[part])).toFixed(1)).join("; ");
    });
    console.log(
      `| ${part === "rowsBeside" ? "rows of others in the first of its steps" : part} | ${cells.join(" | ")} |`,
    );
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
