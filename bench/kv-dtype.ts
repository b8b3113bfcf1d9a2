import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadModelConfig, openCheckpoint } from "@drover/checkpoint";
import { type ExpertExchange, type HostKvDtype, neverAborted, silentLogger } from "@drover/core";
import { kvBytes, kvGeometry, servedModelSeed } from "@drover/kv";
import { ExpertSessions, ExtentStore, openWeights, TextModel } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";
import { readLines } from "./quality-score.ts";

/**
 * How far KV that is kept in int8 moves the log-probabilities of the reference prompts' tokens, beside f32, and how often another expert is chosen.
 * Prompts with pictures are left out: nothing states their log-probabilities.
 */
const { values } = parseArgs({
  options: {
    data: { type: "string", default: join(import.meta.dirname, "../../shared") },
    checkpoint: { type: "string", default: "nano" },
    rows: { type: "string", default: "64" },
  },
});
type Golden = Readonly<{ name: string; input_ids: readonly number[]; images?: readonly string[]; messages?: unknown }>;
type Read = Readonly<{ logprobs: Float64Array; experts: Uint16Array }>;

const goldens = readLines<Golden>(join(values.data, "goldens", values.checkpoint, "goldens.jsonl")).filter(
  ({ images }) => (images?.length ?? 0) === 0,
);
const directory = join(values.data, values.checkpoint);
const config = await loadModelConfig(directory);
await using checkpoint = await openCheckpoint(directory);
const { weights } = await openWeights(checkpoint, config, null, silentLogger, neverAborted);
using experts = new ExpertSessions(config, weights, { threads: 1 });
for (const layer of config.moeLayers) for (let e = 0; e < config.expertCount; e++) await experts.load(layer, e);

/** Every row by itself: what a row's expert makes of it then does not depend on the others. */
const exchange: ExpertExchange = {
  usable: true,
  exchange: async ({ layer, z_aD, expert_a, rowCount }) => {
    const y_aD = new Float32Array(z_aD.length);
    const width = config.hiddenSize;
    for (let row = 0; row < rowCount; row++) {
      const own = (rows: Float32Array) => rows.subarray(row * width, (row + 1) * width);
      experts.run(layer, [expert_a[row] ?? 0], [1], own(z_aD), own(y_aD));
    }
    return { y_aD, missing: [] };
  },
};

async function readAll(kvDtype: HostKvDtype): Promise<readonly Read[]> {
  const geometry = kvGeometry(config, kvDtype);
  const storage = new ExtentStore(geometry, { ...config, kvDtype });
  const hashSeed = servedModelSeed("", "");
  const kv = { cache: { bytesMax: 2 ** 30, prefixCache: false }, hashSeed, stripes: undefined };
  const sequences = new StoredSequences(geometry, storage, kv);
  using model = await TextModel.load(config, weights, { threads: 1, storage, exchange });
  const all: Read[] = [];
  for (const { input_ids } of goldens) all.push(await read(model, sequences, Int32Array.from(input_ids)));
  return all;
}

async function read(model: TextModel, sequences: StoredSequences, ids: Int32Array): Promise<Read> {
  const moeCount = config.moeLayers.length;
  const logprobs = new Float64Array(ids.length - 1);
  const chosen = new Uint16Array(ids.length * moeCount);
  const sequence = sequences.open();
  for (let done = 0; done < ids.length; ) {
    const tokenIds = ids.subarray(done, done + Number(values.rows));
    sequences.reserve(sequence, tokenIds.length);
    const prompt = { nextIds: ids.subarray(done + 1, done + tokenIds.length + 1), topCount: 0 };
    const entry = { sequence, tokenIds, embeddings: [], prompt, draw: undefined, experts: true };
    const step = await model.submit({ entries: [entry], traceCall: undefined }).result();
    const [result] = step.entries;
    if (result?.kind !== "computed") throw new Error("every row is computed");
    for (const [i, { logprob }] of result.prompt.entries()) logprobs[done + i] = logprob;
    chosen.set(result.experts, done * moeCount);
    sequences.commit(sequence, tokenIds);
    done += tokenIds.length;
  }
  sequences.close(sequence);
  return { logprobs, experts: chosen };
}

const base = await readAll("f32");
const found = await readAll("int8");
const errors = (isCounted: (index: number) => boolean) =>
  base.flatMap(({ logprobs }, i) =>
    isCounted(i)
      ? Array.from(logprobs, (logprob, at) => Math.abs(logprob - (found[i]?.logprobs[at] ?? Number.NaN)))
      : [],
  );
const swaps = base.map(
  ({ experts: asF32 }, i) => asF32.filter((expert, at) => expert !== found[i]?.experts[at]).length,
);
const bytes = (dtype: HostKvDtype) => kvBytes(kvGeometry(config, dtype), 8192, 8192);
console.log(`int8 KV beside f32, ${values.checkpoint}, ${goldens.length} prompts in steps of ${values.rows} rows`);
console.log(`all: ${spread(errors(() => true))}`);
console.log(`conversations: ${spread(errors((i) => (goldens[i]?.messages ?? null) !== null))}`);
console.log(`random ids: ${spread(errors((i) => (goldens[i]?.messages ?? null) === null))}`);
const choices = base.reduce((sum, one) => sum + one.experts.length, 0);
console.log(`${swaps.reduce((a, b) => a + b, 0)} of ${choices} choices fell on another expert`);
console.log(`KV of 8,192 tokens: ${bytes("f32")} bytes in f32, ${bytes("int8")} in int8`);

function spread(errors: number[]): string {
  const sorted = Float64Array.from(errors).sort();
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(5);
  return `of ${sorted.length}: max ${at(1)}, 99.9% ${at(0.999)}, 99% ${at(0.99)}, half ${at(0.5)}`;
}
