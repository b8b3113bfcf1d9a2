import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type MadeShape, makeConverted, makeReleased } from "./made-checkpoint.ts";
import { Served } from "./served.ts";
import { gapsOf, measureLevel, promptOf, servedModel } from "./stream-level.ts";
import { rank, streamTokens } from "./stream-tokens.ts";

/**
 * Scout's true shapes, or Maverick's (`--model maverick`, over two cards), through the whole server, over HTTP: makes a checkpoint of random weights (`--form converted`: int4, all layers, linked from one; `released`: bf16, which is
 * quantized on its way, as many layers as the disk has room for), starts `drover up` on a card, and measures decode behind cached prompts, a prompt's prefill, and first tokens.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "scout" },
    form: { type: "string", default: "converted" },
    layers: { type: "string", default: "48" },
    tiny: { type: "boolean", default: false },
    folder: { type: "string", default: join(tmpdir(), "made-checkpoint") },
    flags: { type: "string", default: "--device cuda:0 --quantize int4 --expert-workers 0 --prefill-chunk 2048" },
    streams: { type: "string", default: "1,8,32,64" },
    fresh: { type: "string", default: "1,8,32" },
    cached: { type: "string", default: "1000" },
    generated: { type: "string", default: "160" },
    prompt: { type: "string", default: "8192" },
    /** Tokens of a prompt behind which one stream decodes, and whose keys and values are counted; 0: none. */
    long: { type: "string", default: "0" },
  },
});
const [cached, generated, promptLength] = [Number(values.cached), Number(values.generated), Number(values.prompt)];
const shape: MadeShape = {
  model: values.model === "maverick" ? "maverick" : "scout",
  layers: Number(values.layers),
  isTiny: values.tiny,
};
const numbersOf = (list: string) => list.split(",").filter(Boolean).map(Number);
const seconds = (since: number) => ((performance.now() - since) / 1e3).toFixed(1);
let salt = 1;

const making = performance.now();
await (values.form === "released" ? makeReleased : makeConverted)(values.folder, shape);
console.log(`${values.form}, ${shape.layers} layers: made in ${seconds(making)} s`);
const starting = performance.now();
await using served = await Served.start(values.folder, values.flags.split(" ").filter(Boolean));
console.log(`ready ${seconds(starting)} s after the command`);
for (const line of served.lines(/device\.opened|card\.loaded|worker\.ready|weights|card_memory/))
  console.log(`  ${line.slice(0, 400)}`);
console.log(`  the card says: ${cardUse()}`);
const model = await servedModel(served.url);
const facts = await served.debug();
console.log(`  worker: ${JSON.stringify(facts).slice(0, 1500)}`);

const ask = (prompt: readonly number[], count: number) => streamTokens(served.url, model, prompt, count);

/** Steps so far, their rows, and what they took and were to take, in seconds. */
async function stepFacts() {
  const [steps, rows, seconds, predicted] = await Promise.all([
    served.total("drover_step_seconds_count"),
    served.total("drover_step_rows_total"),
    served.total("drover_step_measured_seconds_total"),
    served.total("drover_step_predicted_seconds_total"),
  ]);
  return { steps, rows, seconds, predicted };
}

/** Does something, and says which steps it took. */
async function stepsOf<T>(work: () => Promise<T>): Promise<Readonly<{ found: T; steps: string }>> {
  const before = await stepFacts();
  const found = await work();
  const after = await stepFacts();
  const of = (fact: keyof typeof after) => after[fact] - before[fact];
  const rows = (of("rows") / of("steps")).toFixed(0);
  const ms = ((1e3 * of("seconds")) / of("steps")).toFixed(1);
  const ratio = (of("seconds") / of("predicted")).toFixed(2);
  return { found, steps: `${of("steps")} steps of ${rows} rows and ${ms} ms, ${ratio} of what was predicted` };
}

async function level(streams: number): Promise<void> {
  const prompts = Array.from({ length: streams }, (_, i) => promptOf(cached, i));
  const { tokensPerSecond, gapMs, firstMs, steps, wallMs } = await measureLevel(served, model, prompts, generated);
  const attention = served.workers.filter((name) => name.startsWith("attention")).length;
  const cells = [
    `${tokensPerSecond?.toFixed(0) ?? "-"} tokens/s`,
    `between tokens p50 ${gapMs.p50.toFixed(2)} p99 ${gapMs.p99.toFixed(2)} ms`,
    `first token p50 ${firstMs.p50.toFixed(0)} ms`,
    `${steps.count} steps of ${((1e3 * steps.seconds) / steps.count).toFixed(2)} ms, ${((1e5 * steps.seconds) / wallMs / attention).toFixed(0)}% of the time`,
    `waiting for others' experts ${((100 * steps.exchanged) / steps.seconds).toFixed(0)}%`,
    `${steps.byCards} calls by cards, ${steps.byMemory} frames by memory, ${steps.byGrpc} by gRPC`,
  ];
  console.log(`${streams} streams, ${cached} cached: ${cells.join(", ")}`);
}

async function fresh(streams: number): Promise<void> {
  const prompts = Array.from({ length: streams }, () => promptOf(cached, 1000 + salt++));
  const { found, steps } = await stepsOf(() => Promise.all(prompts.map((prompt) => ask(prompt, 32))));
  const firsts = found.map(({ firstMs }) => firstMs);
  const gaps = gapsOf(found);
  console.log(
    `${streams} streams, ${cached} new: first token p50 ${rank(firsts, 0.5).toFixed(0)} p99 ${rank(firsts, 0.99).toFixed(0)} ms, between tokens p50 ${rank(gaps, 0.5).toFixed(2)} p99 ${rank(gaps, 0.99).toFixed(2)} ms, ${steps}`,
  );
}

/** Bytes that sequences hold in layers of a kind, and what one token takes there. */
async function kvBytes(layers: "global" | "local"): Promise<Readonly<{ held: number; token: number }>> {
  const of = `layers="${layers}"`;
  const held = await served.metric("drover_kv_layer_bytes{", of, 'state="referenced"');
  return { held, token: await served.metric("drover_kv_token_bytes{", of) };
}

/** A very long prompt, what decodes behind it, and what its keys and values take: in global layers all, in others those of the chunk. */
async function long(length: number, count: number): Promise<void> {
  let isOver = false;
  const asked = ask(promptOf(length, 9000), count).finally(() => {
    isOver = true;
  });
  const most = { global: { held: 0, token: 0 }, local: { held: 0, token: 0 } };
  while (!isOver) {
    for (const layers of ["global", "local"] as const) {
      const now = await kvBytes(layers);
      if (now.held > most[layers].held) most[layers] = now;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const asking = await asked;
  const { firstMs } = asking;
  const gaps = gapsOf([asking]);
  const cells = (["global", "local"] as const).map(
    (layers) =>
      `${layers} layers held at most ${most[layers].held} bytes, ${(most[layers].held / most[layers].token).toFixed(1)} tokens of ${most[layers].token}`,
  );
  console.log(
    `prompt of ${length}: ${firstMs.toFixed(0)} ms, ${((1e3 * length) / firstMs).toFixed(0)} tokens/s; then between tokens p50 ${rank(gaps, 0.5).toFixed(2)} p99 ${rank(gaps, 0.99).toFixed(2)} ms; ${cells.join("; ")}`,
  );
}

/** What the card's own tool says is in use, MiB. */
function cardUse(): string {
  try {
    return execFileSync("nvidia-smi", ["--query-gpu=memory.used", "--format=csv,noheader"], {
      encoding: "utf8",
    }).trim();
  } catch (error) {
    return `nothing (${error instanceof Error ? error.message : error})`;
  }
}

const all = numbersOf(values.streams);
const warming = performance.now();
const { steps: warmSteps } = await stepsOf(() =>
  Promise.all(Array.from({ length: Math.max(...all) }, (_, i) => ask(promptOf(cached, i), 1))),
);
console.log(`${Math.max(...all)} prompts of ${cached} computed in ${seconds(warming)} s, ${warmSteps}`);
for (const streams of all) await level(streams);
for (const streams of numbersOf(values.fresh)) await fresh(streams);
if (promptLength > 0)
  for (let round = 0; round < 2; round++) {
    const { found, steps } = await stepsOf(() => ask(promptOf(promptLength, 5000 + salt++), 1));
    const { firstMs } = found;
    console.log(
      `prompt of ${promptLength}: ${firstMs.toFixed(0)} ms, ${((1e3 * promptLength) / firstMs).toFixed(0)} tokens/s, ${steps}`,
    );
  }
if (Number(values.long) > 0) await long(Number(values.long), generated);
console.log(`  the card says: ${cardUse()}`);
