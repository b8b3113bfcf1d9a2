import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadVisionConfig, openCheckpoint } from "@drover/checkpoint";
import { neverAborted, silentLogger } from "@drover/core";
import { VisionEncoder, VisionThread } from "@drover/onnx";
import { drain, greedyTask, openLocalEngine } from "@drover/testkit";

/**
 * What encoding images does to decoding in the same process: one stream's inter-token times alone, while the vision thread encodes image after image,
 * and, to show why there is a thread, with an image encoded on the decoding thread every `--every` tokens. Also the encoder's time per tile.
 * Back of the envelope for nano: a tile is 65 rows of 0.55 MFLOP in three layers and 16 rows of the adapter, 60 MFLOP with attention: 0.6 ms at 100 GFLOP/s.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    tiles: { type: "string", default: "5" },
    tokens: { type: "string", default: "400" },
    rounds: { type: "string", default: "5" },
    every: { type: "string", default: "20" },
    threads: { type: "string", default: "1" },
  },
});
const tileCount = Number(values.tiles);
const tokenCount = Number(values.tokens);
const threads = Number(values.threads);

const config = await loadVisionConfig(values.model);
if (config === undefined) throw new Error(`${values.model} has no vision encoder`);
await using checkpoint = await openCheckpoint(values.model);
const encoder = await VisionEncoder.load(checkpoint, config, { threads });
let encodedCount = 0;
const thread = await VisionThread.start({
  directory: values.model,
  config,
  threads,
  logger: silentLogger,
  onEncoded: () => {
    encodedCount += 1;
  },
});
const local = await openLocalEngine(values.model, { prefillRowsMax: 512 });

const tileBytes = config.imageSize ** 2 * 3;
const pixels = (count: number) => Uint8Array.from({ length: count * tileBytes }, (_, i) => (i * 7919) % 251);
const image = pixels(tileCount);
const prompt = Array.from({ length: 64 }, (_, i) => (i * 7919) % 3000);

let serial = 0;
/** Milliseconds of each decoding step of one stream. */
async function stepTimes(between: (step: number) => void): Promise<number[]> {
  local.engine.place(greedyTask(`stream-${serial++}`, prompt, tokenCount));
  while (local.engine.load().pendingTokenCount > 1) await local.engine.step();
  const times: number[] = [];
  for (let last = performance.now(), step = 0; local.engine.load().pendingTokenCount > 0; step++) {
    between(step);
    await local.engine.step();
    // As the worker does: replies of the thread, and streams, get their turn between two steps.
    await new Promise((done) => setImmediate(done));
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  await drain(local);
  return times;
}

async function whileEncoding(): Promise<number[]> {
  let isOver = false;
  const encode = async () => {
    while (!isOver) await thread.encode(tileCount, image.slice(), neverAborted);
  };
  // Two, so that the thread never waits for the next one.
  const encoding = Promise.all([encode(), encode()]);
  const times = await stepTimes(() => undefined);
  isOver = true;
  await encoding;
  return times;
}

const measures: Record<string, () => Promise<number[]>> = {
  "no image": () => stepTimes(() => undefined),
  "images on the vision thread": whileEncoding,
  [`an image inline every ${values.every} tokens`]: () =>
    stepTimes((step) => {
      if (step % Number(values.every) === 0) encoder.encode(tileCount, image);
    }),
};
const quantile = (list: readonly number[], share: number) =>
  [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? 0;
const ms = (value: number) => value.toFixed(2).padStart(8);

const samples = new Map<string, number[]>(Object.keys(measures).map((name) => [name, []]));
for (let round = -1; round < Number(values.rounds); round++) {
  if (round === 0) encodedCount = 0;
  for (const [name, measure] of Object.entries(measures)) {
    const times = await measure();
    if (round >= 0) samples.get(name)?.push(...times);
  }
}
console.log(
  `${values.model}, images of ${tileCount} tiles, ${threads} thread(s); ${cpus()[0]?.model}, ${cpus().length} cores`,
);
console.log(`${"inter-token ms".padEnd(40)}     p50      p99      max`);
for (const [name, times] of samples)
  console.log(`${name.padEnd(40)}${ms(quantile(times, 0.5))} ${ms(quantile(times, 0.99))} ${ms(Math.max(...times))}`);
console.log(`images encoded beside decoding: ${encodedCount}`);

for (const count of [1, 5, 17]) {
  const input = pixels(count);
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const began = performance.now();
    encoder.encode(count, input);
    times.push((performance.now() - began) / count);
  }
  console.log(
    `encode ${String(count).padStart(2)} tiles: ${ms(quantile(times, 0.5))} ms a tile, at best ${ms(Math.min(...times))}`,
  );
}
await thread[Symbol.asyncDispose]();
await checkpoint[Symbol.asyncDispose]();
