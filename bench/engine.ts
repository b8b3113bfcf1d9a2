import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { quantizationName, quantizationOf } from "@drover/checkpoint";
import { drain, greedyTask, type MeasuredStep, openLocalEngine } from "@drover/testkit";

/**
 * Decode and prefill speed of one process with one thread: prompts of 64 tokens, 64 generated, at batch 1, 8 and 32; prefill of 512.
 * Back of the envelope for nano in f32: a row takes 10 MFLOP, so prefill at 100 GFLOP/s is bounded by about 10,000 tokens/s; a decode
 * step at batch 1 reads 21 MB of weights, 1.4 ms at 15 GB/s (int4: 3 MB, 0.2 ms), and makes nine session runs of some 150 operators in all.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    quantize: { type: "string" },
    "quantize-block": { type: "string", default: "128" },
    rounds: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const PROMPT = 64;
const GENERATED = 64;
const PREFILL = 512;

const quantization = quantizationOf(values.quantize, values["quantize-block"]);
const local = await openLocalEngine(values.model, { prefillRowsMax: PREFILL, quantization });
let state = Number(values.seed) >>> 0;
const random = (below: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const prompt = (length: number) => Array.from({ length }, () => random(Math.min(local.vocabSize, 3000)));

type Sample = { tokensPerSecond: number; session: number; exchange: number; other: number };

function summarize(steps: readonly MeasuredStep[], elapsedMs: number): Sample {
  const sum = (pick: (s: MeasuredStep) => number) => steps.reduce((total, step) => total + pick(step), 0);
  const session = sum((s) => s.computeMs) / elapsedMs;
  const exchange = sum((s) => s.exchangeMs) / elapsedMs;
  return {
    tokensPerSecond: (sum((s) => s.rowCount) * 1000) / elapsedMs,
    session,
    exchange,
    other: 1 - session - exchange,
  };
}

let serial = 0;
async function decode(batch: number): Promise<Sample> {
  for (let i = 0; i < batch; i++) local.engine.place(greedyTask(`decode-${serial++}`, prompt(PROMPT), GENERATED));
  while (local.engine.load().pendingTokenCount > batch) await local.engine.step();
  const began = performance.now();
  const steps = await drain(local);
  return summarize(steps, performance.now() - began);
}

async function prefill(): Promise<Sample> {
  local.engine.place(greedyTask(`prefill-${serial++}`, prompt(PREFILL), 1));
  const began = performance.now();
  const steps = await drain(local);
  return summarize(steps, performance.now() - began);
}

const measures: Record<string, () => Promise<Sample>> = {
  "decode, batch 1": () => decode(1),
  "decode, batch 8": () => decode(8),
  "decode, batch 32": () => decode(32),
  "prefill 512": prefill,
};
const samples = new Map<string, Sample[]>(Object.keys(measures).map((name) => [name, []]));
for (let round = -1; round < Number(values.rounds); round++) {
  for (const [name, measure] of Object.entries(measures)) {
    const sample = await measure();
    if (round >= 0) samples.get(name)?.push(sample);
  }
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
if (values.json) {
  const speeds = [...samples].map(([name, list]) => [name, median(list.map((s) => s.tokensPerSecond))]);
  console.log(JSON.stringify(Object.fromEntries(speeds)));
  process.exit(0);
}
const percent = (share: number) => `${(100 * share).toFixed(0)}%`;
console.log(
  `${values.model}, ${quantizationName(quantization) ?? "f32"}, one process, one thread; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}; seed ${values.seed}, ${values.rounds} rounds`,
);
console.log("| measure | tokens/s median | range | sessions | exchange | JavaScript |\n|---|---|---|---|---|---|");
for (const [name, list] of samples) {
  const speeds = list.map((s) => s.tokensPerSecond);
  const range = `${Math.min(...speeds).toFixed(0)}-${Math.max(...speeds).toFixed(0)}`;
  const share = (pick: (s: Sample) => number) => percent(median(list.map(pick)));
  console.log(
    `| ${name} | ${median(speeds).toFixed(0)} | ${range} | ${share((s) => s.session)} | ${share((s) => s.exchange)} | ${share((s) => s.other)} |`,
  );
}
process.exit(0);
