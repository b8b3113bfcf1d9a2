import { readFileSync } from "node:fs";
import { loadModelConfig, openCheckpoint, quantizationOf } from "@drover/checkpoint";
import { neverAborted, silentLogger } from "@drover/core";
import { ExpertSessions, openWeights } from "@drover/onnx";

/**
 * A process of `bench/convert.ts`: loads every routed expert of a folder, runs each once, and prints its memory as JSON. A second argument quantizes a
 * checkpoint that was not converted while it is read.
 */
const [folder = "", quantize] = process.argv.slice(2);
const config = await loadModelConfig(folder);
await using checkpoint = await openCheckpoint(folder);
const quantization = quantizationOf(quantize, "128");
const { weights } = await openWeights(checkpoint, config, quantization, silentLogger, neverAborted);
using experts = new ExpertSessions(config, weights, { threads: 1 });

/** Of this process, in MiB. */
function memory(): { anonymous: number; mapped: number } {
  const text = readFileSync("/proc/self/smaps_rollup", "utf8");
  const mib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 1024;
  return { anonymous: mib("Anonymous"), mapped: mib("Rss") - mib("Anonymous") };
}

const before = memory();
const began = performance.now();
const z = new Float32Array(config.hiddenSize).fill(0.01);
for (const layer of config.moeLayers) {
  for (let expert = 0; expert < config.expertCount; expert++) await experts.load(layer, expert);
}
const seconds = (performance.now() - began) / 1000;
for (const layer of config.moeLayers) {
  for (let expert = 0; expert < config.expertCount; expert++)
    experts.run(layer, [expert], [1], z, new Float32Array(z.length));
}
const after = memory();
const expertCount = config.moeLayers.length * config.expertCount;
process.stdout.write(
  `${JSON.stringify({ expertCount, seconds, anonymousMiB: after.anonymous - before.anonymous, mappedMiB: after.mapped - before.mapped })}\n`,
);
