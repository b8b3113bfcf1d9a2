import { type Checkpoint, checkModel, loadModelConfig, type ModelConfig, openCheckpoint } from "@drover/checkpoint";
import { type ModelWeights, openWeights } from "@drover/onnx";
import type { WorkerDevice } from "./device/worker-device.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** A worker's checkpoint, from which each role loads what it needs. */
export type OpenedModel = Readonly<{
  config: ModelConfig;
  checkpoint: Checkpoint;
  weights: ModelWeights;
  /** Of all that decides what the model computes: workers with another one compute something else. */
  fingerprint: string;
}>;

/** Opens the checkpoint; the worker's `resources` close it. Errors: `invalid_argument` naming the file at fault. */
export async function openModel(options: WorkerOptions, device: WorkerDevice): Promise<OpenedModel> {
  const { model: directory, quantization, logger, ending, resources } = options;
  await checkModel(directory);
  const config = await loadModelConfig(directory);
  const checkpoint = resources.use(await openCheckpoint(directory));
  const isMapped = device.kind === "cpu";
  const { weights, fingerprint } = await openWeights(checkpoint, config, quantization, logger, ending.asked, isMapped);
  return { config, checkpoint, weights, fingerprint };
}
