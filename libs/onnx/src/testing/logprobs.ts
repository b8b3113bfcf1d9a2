import { loadModelConfig, openCheckpoint, type Quantization } from "@drover/checkpoint";
import { type ExpertExchange, greedyParams, type Logger, neverAborted, type StepEntry } from "@drover/core";
import { kvGeometry } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { ExtentStore } from "../kv/extent-store.ts";
import { ExpertSessions } from "../text/expert-sessions.ts";
import { TextModel } from "../text/text-model.ts";
import { openWeights } from "../weights/open-weights.ts";

/** The log-probabilities of all tokens behind a prompt, [V], that a model in this folder computes with all its experts in this process. */
export async function logprobsOf(
  directory: string,
  quantization: Quantization | null,
  tokenIds: Int32Array,
  logger: Logger,
): Promise<Float32Array> {
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const { weights } = await openWeights(checkpoint, config, quantization, logger, neverAborted);
  using experts = new ExpertSessions(config, weights, { threads: 1 });
  const exchange = localExchange(experts, config.hiddenSize);
  const geometry = kvGeometry(config, "f32");
  const storage = new ExtentStore(geometry, { ...config, kvDtype: "f32" });
  const seed = { modelFingerprint: "", salt: "" };
  const kv = { cache: { bytesMax: 2 ** 28, prefixCache: false }, hashSeed: seed, stripes: undefined };
  const sequences = new StoredSequences(geometry, storage, kv);
  using model = await TextModel.load(config, weights, { threads: 1, storage, exchange });
  const { vocabSize } = config;
  const sequence = sequences.open();
  sequences.reserve(sequence, tokenIds.length);
  const params = { ...greedyParams(1), topLogprobs: vocabSize };
  const history = { output: () => [], seen: () => [], endsWith: () => false };
  const draw = { params, history, choice: 0, index: 0, allowed: undefined };
  const entry: StepEntry = { sequence, tokenIds, embeddings: [], prompt: undefined, draw, experts: false };
  const step = await model.submit({ entries: [entry], traceCall: undefined }).result();
  const [result] = step.entries;
  const row = result?.kind === "computed" ? result.tokens[0]?.logprobs : undefined;
  if (row === undefined) throw new Error("every row is computed");
  const logprobs = new Float32Array(vocabSize);
  for (const { tokenId, logprob } of row.top) logprobs[tokenId] = logprob;
  return logprobs;
}

/** Loads an expert when its first row comes. */
function localExchange(experts: ExpertSessions, width: number): ExpertExchange {
  return {
    usable: true,
    exchange: async ({ layer, z_aD, expert_a, rowCount }) => {
      const y_aD = new Float32Array(z_aD.length);
      for (let row = 0; row < rowCount; row++) {
        const expert = expert_a[row] ?? -1;
        await experts.load(layer, expert);
        const [from, to] = [row * width, (row + 1) * width];
        experts.run(layer, [expert], [1], z_aD.subarray(from, to), y_aD.subarray(from, to));
      }
      return { y_aD, missing: [] };
    },
  };
}
