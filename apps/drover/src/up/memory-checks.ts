import {
  loadModelConfig,
  loadVisionConfig,
  type ModelConfig,
  openCheckpoint,
  quantizationOf,
} from "@drover/checkpoint";
import { DroverError, neverAborted, silentLogger } from "@drover/core";
import { contextTokensMax, KV_TOKENS_MIN, kvBytesPeak, kvGeometry } from "@drover/kv";
import { KV_DTYPE_DEFAULT, PREFILL_CHUNK_DEFAULT, QUANTIZE_BLOCK_DEFAULT } from "../limits.ts";
import type { UpConfig } from "./up-config.ts";
import type { UpWorkers } from "./up-workers.ts";

/**
 * Sees whether the memory that is named can hold what it is for: a conversation, all experts of the model over their workers, the features of a picture. A card is
 * asked by its own worker, which knows what things take there. Errors: `invalid_argument`, a sentence with the flag and the least that works.
 */
export async function checkMemory(
  config: UpConfig,
  modelFolder: string,
  workers: UpWorkers,
  readsImages: boolean,
): Promise<void> {
  const model = await loadModelConfig(modelFolder);
  if (isHost(workers.deviceOf(0))) checkKvMemory(config, model);
  const holder = workers.expertWorkers === 0 ? workers.deviceOf(0) : workers.expertDeviceOf(0);
  const holderCount = workers.expertWorkers === 0 ? workers.attentionWorkers : workers.expertWorkers;
  if (isHost(holder)) await checkExpertMemory(config, model, modelFolder, holderCount);
  if (readsImages) await checkVisionCache(config, modelFolder);
}

const isHost = (device: string | undefined): boolean => device === undefined || device === "cpu";

/** Whether a worker's KV can hold a conversation at all. */
function checkKvMemory({ kvMemory, kvDtype, prefillChunk }: UpConfig, model: ModelConfig): void {
  if (typeof kvMemory !== "number") return;
  const geometry = kvGeometry(model, kvDtype === "int8" ? "int8" : KV_DTYPE_DEFAULT);
  const stepRows = prefillChunk ?? PREFILL_CHUNK_DEFAULT;
  const tokens = contextTokensMax(geometry, kvMemory, stepRows);
  if (tokens >= KV_TOKENS_MIN) return;
  const least = kvBytesPeak(geometry, KV_TOKENS_MIN, stepRows);
  refuse("kv-memory", `${kvMemory} bytes hold ${tokens} tokens of this model`, least, `for ${KV_TOKENS_MIN}`);
}

/** Whether the workers that hold experts have room for all of them together. */
async function checkExpertMemory(
  { expertMemory, quantize, quantizeBlock }: UpConfig,
  model: ModelConfig,
  modelFolder: string,
  holderCount: number,
): Promise<void> {
  if (expertMemory === undefined) return;
  const total = model.moeLayers.length * model.expertCount;
  // Loaded at need: it brings the runtime into a process that computes nothing.
  const { expertBytes, openWeights } = await import("@drover/onnx");
  const quantization = quantizationOf(quantize, quantizeBlock ?? QUANTIZE_BLOCK_DEFAULT);
  await using checkpoint = await openCheckpoint(modelFolder);
  const { weights } = await openWeights(checkpoint, model, quantization, silentLogger, neverAborted);
  const bytes = await expertBytes(model, weights);
  const held = Math.floor(expertMemory / Math.max(1, bytes)) * holderCount;
  if (held >= total) return;
  const least = bytes * Math.ceil(total / holderCount);
  const sentence = `${expertMemory} bytes in each of ${holderCount} workers hold ${held} of this model's ${total} experts`;
  refuse("expert-memory", sentence, least, "for all of them");
}

/** Whether a vision encoder can keep the features of the smallest picture. */
async function checkVisionCache({ visionCache }: UpConfig, modelFolder: string): Promise<void> {
  const vision = await loadVisionConfig(modelFolder);
  if (visionCache === undefined || vision === undefined) return;
  const tileBytes = vision.rowsPerTile * vision.textHiddenSize * Float32Array.BYTES_PER_ELEMENT;
  if (visionCache >= tileBytes) return;
  const sentence = `${visionCache} bytes hold the features of no picture`;
  refuse("vision-cache", sentence, tileBytes, "for a picture of one tile, and as much for each further tile");
}

function refuse(flag: string, sentence: string, leastBytes: number, purpose: string): never {
  const least = `${Math.ceil(leastBytes / 2 ** 10)}KiB`;
  throw new DroverError(
    "invalid_argument",
    `--${flag}: ${sentence}; the least that works is ${least}, ${purpose}. Write a unit, such as 1GiB.`,
  );
}
