import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeRandomGguf } from "./random-gguf.ts";
import { shapeConfig } from "./shape-config.ts";

/**
 * llama.cpp in Scout's true shapes on a card, beside `served-shapes.ts`: writes random weights in q4_0 and runs llama-batched-bench, which llama-build.sh has left in `--binaries`, for decode behind cached tokens
 * at each number of sequences and for the prefill of one prompt. Times are those that it says itself, without a server.
 */
const { values } = parseArgs({
  options: {
    binaries: { type: "string", default: "bin" },
    file: { type: "string", default: join(tmpdir(), "random-scout.gguf") },
    layers: { type: "string", default: "48" },
    tiny: { type: "boolean", default: false },
    streams: { type: "string", default: "1,8,32,64" },
    cached: { type: "string", default: "1000" },
    generated: { type: "string", default: "64" },
    prompt: { type: "string", default: "8192" },
    /** Rows of a step of llama.cpp's. */
    rows: { type: "string", default: "2048" },
    /** More options of llama-batched-bench. */
    flags: { type: "string", default: "-ngl 99 -fa on" },
  },
});
const [cached, generated, prompt] = [Number(values.cached), Number(values.generated), Number(values.prompt)];

type Level = Readonly<{
  pp: number;
  pl: number;
  t_pp: number;
  speed_pp: number;
  tg: number;
  t_tg: number;
  speed_tg: number;
}>;

/** Runs it once for prompts of so many tokens, and gives its lines. Throws with what it said where it cannot. */
async function bench(streams: readonly number[], length: number, count: number): Promise<readonly Level[]> {
  const context = Math.max(...streams) * Math.ceil((length + count) / 256) * 256;
  const own = { "-c": context, "-b": values.rows, "-ub": values.rows, "-npp": length, "-ntg": count };
  const args = ["-m", values.file, ...Object.entries(own).flatMap(([flag, value]) => [flag, String(value)])];
  const more = ["-npl", streams.join(","), "--output-format", "jsonl", ...values.flags.split(" ").filter(Boolean)];
  const folders = `${values.binaries}:/usr/local/cuda/lib64:${process.env.LD_LIBRARY_PATH ?? ""}`;
  const leftOut = join(values.binaries, "libleft-out.so");
  const env = { ...process.env, LD_LIBRARY_PATH: folders, ...(existsSync(leftOut) ? { LD_PRELOAD: leftOut } : {}) };
  const child = spawn(join(values.binaries, "llama-batched-bench"), [...args, ...more], { env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += String(chunk)));
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`llama-batched-bench ended with ${status}:\n${said.slice(-3000)}`);
  for (const line of said.split("\n")) if (/offloaded|buffer size|Device 0/.test(line)) console.log(`  ${line.trim()}`);
  return [...said.matchAll(/\{"n_kv_max".*\}/g)].map(([line]) => JSON.parse(line) as Level);
}

const config = shapeConfig("scout", Number(values.layers), values.tiny);
const making = performance.now();
const bytes = await writeRandomGguf(values.file, {
  layers: config.layerCount,
  vocab: config.vocabSize,
  hidden: config.hiddenSize,
  expertWidth: config.expertWidth,
  heads: config.headCount,
  kvHeads: config.kvHeadCount,
  headDim: config.headDim,
  experts: config.expertCount,
});
const gb = (count: number) => (count / 1e9).toFixed(2);
console.log(
  `${config.layerCount} layers in q4_0: ${gb(bytes.held)} GB, of a file of ${gb((await stat(values.file)).size)} GB made in ${((performance.now() - making) / 1e3).toFixed(1)} s`,
);
const streams = values.streams.split(",").filter(Boolean).map(Number);
const began = performance.now();
for (const { pl, tg, t_tg, speed_tg, speed_pp } of streams.length > 0 ? await bench(streams, cached, generated) : [])
  console.log(
    `llama.cpp, ${pl} sequences behind ${cached} tokens: ${speed_tg.toFixed(0)} tokens/s, ${((1e3 * t_tg) / tg).toFixed(2)} ms a step; their prompts ${speed_pp.toFixed(0)} tokens/s`,
  );
for (const { pp, t_pp, speed_pp } of prompt > 0 ? await bench([1], prompt, 16) : [])
  console.log(`llama.cpp, a prompt of ${pp}: ${(1e3 * t_pp).toFixed(0)} ms, ${speed_pp.toFixed(0)} tokens/s`);
console.log(`loading among it: ${((performance.now() - began) / 1e3).toFixed(1)} s`);
await rm(values.file);
