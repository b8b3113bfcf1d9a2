import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

/**
 * Whole clusters over HTTP, checkouts of Drover beside each other and in turns: `serving.ts --checkout DIR --checkout DIR`, each set up
 * before. Every round sends `--requests` streaming completions of 100 words and 64 tokens over as many connections as the first column says,
 * and takes tokens a second, the median time to the first token, and the CPU that the cluster's processes took for a token.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", multiple: true, default: [join(import.meta.dirname, "..")] },
    streams: { type: "string", default: "1,8,32" },
    requests: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    "expert-workers": { type: "string", default: "4" },
    flags: { type: "string", default: "" },
  },
});
const GENERATED = 64;
const WORDS = 100;
const MICROSECONDS_A_TICK = 10_000;

type Cluster = { readonly url: string; cpuUs(): number; end(): Promise<void> };
type Sample = { readonly tokensPerSecond: number; readonly firstTokenMs: number; readonly cpuUs: number };

function childrenOf(pid: number): number[] {
  const found = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [...found, ...found.flatMap(childrenOf)];
}

/** User and system time of a process so far, in microseconds; fields 14 and 15 of proc(5)'s stat. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_A_TICK;
}

async function start(checkout: string): Promise<Cluster> {
  const flags = ["--http-port", "0", "--grpc-port", "0", "--queue", "embedded"];
  flags.push("--expert-workers", values["expert-workers"], ...values.flags.split(" ").filter(Boolean));
  const child = spawn(join(resolve(checkout), "bin/drover"), ["up", ...flags], { stdio: ["ignore", "pipe", "ignore"] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`no bin/drover in ${checkout}`);
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  for await (const line of createInterface(child.stdout)) {
    const url = /OpenAI API +(\S+)\/v1/.exec(line)?.[1];
    if (url === undefined) continue;
    const end = async () => {
      child.kill("SIGINT");
      await ended;
    };
    return { url, cpuUs: () => [pid, ...childrenOf(pid)].reduce((sum, each) => sum + cpuOf(each), 0), end };
  }
  throw new Error(`the cluster of ${checkout} ended before it was ready`);
}

let serial = 0;
/** The milliseconds to the first token of a stream that was read to its end. */
async function stream(url: string): Promise<number> {
  const began = performance.now();
  const prompt = Array.from({ length: WORDS }, (_, at) => `word${(serial * 37 + at * 11) % 997}`).join(" ");
  serial++;
  const body = { model: "nano", prompt, max_tokens: GENERATED, min_tokens: GENERATED, ignore_eos: true, stream: true };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status !== 200 || answer.body === null) throw new Error(await answer.text());
  let firstMs: number | undefined;
  let tail = "";
  for await (const bytes of answer.body) {
    firstMs ??= performance.now() - began;
    tail = (tail + Buffer.from(bytes).toString()).slice(-32);
  }
  if (firstMs === undefined || !tail.includes("[DONE]")) throw new Error(`a stream ended with ${tail}`);
  return firstMs;
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

async function round(cluster: Cluster, streams: number): Promise<Sample> {
  const each = Number(values.requests);
  const before = { ms: performance.now(), cpuUs: cluster.cpuUs() };
  const firsts = await Promise.all(
    Array.from({ length: streams }, async () => {
      const found: number[] = [];
      for (let i = 0; i < each; i++) found.push(await stream(cluster.url));
      return found;
    }),
  );
  const tokens = streams * each * GENERATED;
  return {
    tokensPerSecond: (tokens * 1000) / (performance.now() - before.ms),
    firstTokenMs: median(firsts.flat()),
    cpuUs: (cluster.cpuUs() - before.cpuUs) / tokens,
  };
}

const sides = await Promise.all(
  values.checkout.map(async (name) => ({ name, cluster: await start(name), samples: new Map<number, Sample[]>() })),
);
const widths = values.streams.split(",").map(Number);
for (const { cluster } of sides) await round(cluster, 8);
for (let i = 0; i < Number(values.rounds); i++)
  for (const streams of widths)
    for (const { cluster, samples } of i % 2 === 0 ? sides : sides.toReversed())
      samples.set(streams, [...(samples.get(streams) ?? []), await round(cluster, streams)]);

console.log(
  `load of the machine ${loadavg()[0]?.toFixed(1)}; medians of ${values.rounds} rounds, least to most in brackets`,
);
console.log("| streams | checkout | tokens/s | first token ms | CPU us a token |\n|---|---|---|---|---|");
for (const streams of widths)
  for (const { name, samples } of sides) {
    const column = (pick: (sample: Sample) => number) => {
      const found = (samples.get(streams) ?? []).map(pick);
      return `${median(found).toFixed(0)} (${Math.min(...found).toFixed(0)} to ${Math.max(...found).toFixed(0)})`;
    };
    const cells = [column((s) => s.tokensPerSecond), column((s) => s.firstTokenMs), column((s) => s.cpuUs)];
    console.log(`| ${streams} | ${name} | ${cells.join(" | ")} |`);
  }
for (const { cluster } of sides) await cluster.end();
