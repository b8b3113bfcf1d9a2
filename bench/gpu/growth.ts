import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { type ProcessMemory, processesOf } from "./process-memory.ts";
import { Served } from "./served.ts";
import { servedModel } from "./stream-level.ts";
import { streamTokens } from "./stream-tokens.ts";

/**
 * Whether memory grows with requests: short ones over HTTP, every second one streamed, of prompts that are all different, and after each so many what the card's own tool says is in use and what each process of the cluster
 * keeps resident, with the slope behind the first third. Little memory for keys and values, so that what is kept of prompts has its full size soon. Then the same cluster with all of the card's memory: what the worker says
 * of it beside what the card's tool says.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/nano" },
    requests: { type: "string", default: "10000" },
    step: { type: "string", default: "1000" },
    streams: { type: "string", default: "32" },
    generated: { type: "string", default: "8" },
    flags: { type: "string", default: "--device cuda:0 --expert-workers 0" },
    "kv-memory": { type: "string", default: "64MiB" },
  },
});
const [requests, step, streams, generated] = [values.requests, values.step, values.streams, values.generated].map(
  Number,
) as [number, number, number, number];
const flags = values.flags.split(" ").filter(Boolean);
const MIB = 2 ** 20;

/** What the card's own tool says is in use, in bytes; undefined where there is none. */
function cardBytes(): number | undefined {
  try {
    const args = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    return MIB * Number(execFileSync("nvidia-smi", args, { encoding: "utf8" }).split("\n")[0]);
  } catch {
    return undefined;
  }
}

/** From 16 to 199 tokens, none like another's. */
function promptOf(serial: number): number[] {
  const length = 16 + ((serial * 37) % 184);
  return Array.from({ length }, (_, i) => 100 + ((serial * 7919 + i * (31 + (serial % 97))) % 400));
}

async function ask(url: string, model: string, serial: number): Promise<void> {
  const prompt = promptOf(serial);
  if (serial % 2 === 0) {
    await streamTokens(url, model, prompt, generated);
    return;
  }
  const body = JSON.stringify({
    model,
    prompt,
    max_tokens: generated,
    ignore_eos: true,
    temperature: 0.7,
    seed: serial,
  });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
  if (answer.status !== 200) throw new Error(await answer.text());
  await answer.json();
}

/** Asks for requests [from, to), so many at once. */
async function askAll(url: string, model: string, from: number, to: number): Promise<void> {
  let next = from;
  const line = async () => {
    while (next < to) await ask(url, model, next++);
  };
  await Promise.all(Array.from({ length: streams }, line));
}

/** The slope of points whose places are one apart, by least squares. */
function slope(points: readonly number[]): number {
  const middle = (points.length - 1) / 2;
  const mean = points.reduce((sum, point) => sum + point, 0) / points.length;
  const [over, under] = points.reduce(
    ([a, b], point, i) => [a + (i - middle) * (point - mean), b + (i - middle) ** 2],
    [0, 0],
  );
  return over / under;
}

async function grow(): Promise<void> {
  await using served = await Served.start(values.model, [...flags, "--kv-memory", values["kv-memory"]]);
  const model = await servedModel(served.url);
  const taken: { card: number | undefined; processes: readonly ProcessMemory[] }[] = [];
  const began = performance.now();
  for (let done = 0; done < requests; done += step) {
    await askAll(served.url, model, done, done + step);
    taken.push({ card: cardBytes(), processes: processesOf(served.pid) });
    const { card, processes } = taken.at(-1) as (typeof taken)[number];
    const each = processes.map(({ name, bytes }) => `${name} ${(bytes / MIB).toFixed(0)}`);
    const seconds = ((performance.now() - began) / 1e3).toFixed(1);
    console.log(
      `${done + step} requests, ${seconds} s: card ${card === undefined ? "-" : card / MIB} MiB; resident MiB: ${each.join(", ")}`,
    );
  }
  const late = taken.slice(Math.floor(taken.length / 3));
  const names = (late[0]?.processes ?? []).map(({ pid, name }) => ({ pid, name }));
  const slopes = names.map(({ pid, name }) => {
    const points = late.map(({ processes }) => (processes.find((one) => one.pid === pid)?.bytes ?? Number.NaN) / MIB);
    return `${name} ${slope(points).toFixed(2)}`;
  });
  const card = slope(late.map(({ card }) => (card ?? Number.NaN) / MIB));
  console.log(
    `MiB for each ${step} requests, of the last ${late.length} points: card ${card.toFixed(2)}; ${slopes.join(", ")}`,
  );
}

async function compare(): Promise<void> {
  await using served = await Served.start(values.model, flags);
  const { card } = (await served.debug()) as { card?: Readonly<Record<string, number | string>> };
  const kinds = Object.entries(card ?? {}).filter(([kind, bytes]) => typeof bytes === "number" && kind !== "free");
  const said = kinds.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  const used = cardBytes() ?? Number.NaN;
  const each = kinds.map(([kind, bytes]) => `${kind} ${(Number(bytes) / MIB).toFixed(0)}`).join(", ");
  console.log(
    `the worker says ${(said / MIB).toFixed(0)} MiB (${each}), the card's tool ${(used / MIB).toFixed(0)}: ${((100 * (used - said)) / used).toFixed(2)}% more`,
  );
}

await grow();
await compare();
console.log(`behind the end of all processes the card's tool says ${(cardBytes() ?? Number.NaN) / MIB} MiB`);
