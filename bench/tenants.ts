import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { keyDigest } from "@drover/tenants";
import { TestCluster } from "../tests/e2e/test-cluster.ts";

/**
 * What a tenant that floods costs another: one tenant asks at `--streams` at once, alone and beside another one that asks at `--times` as many at once with
 * prompts of the same length. Time to the first token of the first one, in turns of alone and beside, `--rounds` each. A third case has both under
 * one key, so that nobody is told apart: what it would be without.
 */
const { values } = parseArgs({
  options: {
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

const folder = await mkdtemp(join(tmpdir(), "drover-tenants-"));
const file = join(folder, "keys");
const line = (name: string) => JSON.stringify({ name, key_sha256: keyDigest(`key-${name}`) });
await writeFile(file, `${line("light")}\n${line("flood")}\n`);
await using cluster = await TestCluster.start({ expertWorkers: 1, flags: ["--api-key-file", file] });
await rm(folder, { recursive: true });

let seed = 0;

/** Milliseconds to the first token of a streamed completion of another prompt than all before. */
async function ask(key: string): Promise<number> {
  seed += 1;
  const prompt = Array.from({ length: words }, (_, i) => `w${(seed * 7919 + i * 31) % 997}`).join(" ");
  const began = performance.now();
  const reply = await fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer key-${key}` },
    body: JSON.stringify({ model: "nano", prompt, max_tokens: GENERATED, ignore_eos: true, stream: true }),
  });
  if (!reply.ok || reply.body === null) throw new Error(`${reply.status} ${await reply.text()}`);
  let firstMs: number | undefined;
  for await (const _ of reply.body) firstMs ??= performance.now() - began;
  if (firstMs === undefined) throw new Error("an answer without a token");
  return firstMs;
}

const measured = async (key: string): Promise<number[]> => {
  const found = Array.from({ length: streams }, async () => {
    const mine: number[] = [];
    for (let i = 0; i < requests; i++) mine.push(await ask(key));
    return mine;
  });
  return (await Promise.all(found)).flat();
};

async function beside(key: string, flood: string): Promise<number[]> {
  let isOver = false;
  const flooding = Array.from({ length: streams * times }, async () => {
    while (!isOver) await ask(flood);
  });
  const found = await measured(key);
  isOver = true;
  await Promise.all(flooding);
  return found;
}

const cases = {
  alone: () => measured("light"),
  "beside a flood of another tenant": () => beside("light", "flood"),
  ...(!values["not-own"] && { "beside a flood of its own": () => beside("light", "light") }),
};
const samples = new Map<string, number[]>(Object.keys(cases).map((name) => [name, []]));
await measured("light");
for (let round = 0; round < rounds; round++)
  for (const [name, run] of Object.entries(cases)) samples.get(name)?.push(...(await run()));

const quantile = (name: string, q: number) => {
  const sorted = [...(samples.get(name) ?? [])].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
};
console.log(
  `load of the machine ${loadavg()[0]?.toFixed(1)}; ${rounds} rounds of ${streams} x ${requests} requests, the flood ${times} times as many at once`,
);
console.log("| first token | p50 ms | p90 | p99 | most | p99 over alone |\n|---|---|---|---|---|---|");
for (const name of samples.keys())
  console.log(
    `| ${[name, ...[0.5, 0.9, 0.99, 1].map((q) => quantile(name, q).toFixed(0)), (quantile(name, 0.99) / quantile("alone", 0.99)).toFixed(2)].join(" | ")} |`,
  );
