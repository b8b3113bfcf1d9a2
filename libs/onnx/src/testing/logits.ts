import { loadModelConfig, openCheckpoint, type Quantization } from "@drover/checkpoint";
import { type ExpertExchange, type Logger, neverAborted } from "@drover/core";
import { ExpertSessions } from "../text/expert-sessions.ts";
import { TextModel } from "../text/text-model.ts";
import { openWeights } from "../weights/open-weights.ts";

/** The last row's logits, [V], that a model in this folder computes for a prompt, with all its experts in this process. */
export async function logitsOf(
  directory: string,
  quantization: Quantization | null,
  tokenIds: Int32Array,
  logger: Logger,
): Promise<Float32Array> {
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const { weights } = await openWeights(checkpoint, config, quantization, logger, neverAborted);
  const options = { threads: 1, kvBytesMax: 2 ** 28, remoteExperts: true };
  using model = await TextModel.load(config, weights, options);
  using experts = new ExpertSessions(config, weights, { threads: 1 });
  const sequence = model.openSequence();
  model.reserve(sequence, tokenIds.length);
  const entry = { sequence, tokenIds, embeddings: [], outputs: "last" as const, askedIds: undefined, fullLogits: true };
  const [result] = await model.step([entry], 1, localExchange(experts, config.hiddenSize), neverAborted);
  const row = result?.kind === "computed" ? result.rows[0]?.full : undefined;
  if (row === undefined) throw new Error("every row is computed");
  return row.slice();
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
