import { type Checkpoint, hasVisionTensors, loadVisionConfig } from "@drover/checkpoint";
import { DroverError, type Logger, type Tracer } from "@drover/core";
import { VisionThread } from "@drover/onnx";
import type { Metrics } from "@drover/telemetry";
import { FeatureCache } from "./feature-cache.ts";
import { visionMetrics } from "./vision-metrics.ts";
import { visionService } from "./vision-service.ts";

export type VisionRoleOptions = Readonly<{
  checkpoint: Checkpoint;
  modelName: string;
  /** Bytes of features that are kept. */
  cacheBytesMax: number;
  threads: number;
  /** Whether images are encoded that are not here yet. */
  accepting: () => boolean;
  metrics: Metrics;
  logger: Logger;
  tracer: Tracer;
}>;

/** Loads the vision encoder and has it run once. Errors: `invalid_argument` naming the model where it has none; the checkpoint's. */
export async function startVision(options: VisionRoleOptions) {
  const { checkpoint, modelName, threads, logger } = options;
  const { directory } = checkpoint;
  const config = await loadVisionConfig(directory);
  if (config === undefined || !hasVisionTensors(checkpoint)) {
    const message = `--roles: ${modelName} in ${directory} has no vision encoder, so that no worker can have the role vision`;
    throw new DroverError("invalid_argument", message, { field: "roles" });
  }
  const metrics = visionMetrics(options.metrics, modelName);
  const thread = await VisionThread.start({ directory, config, threads, logger, onEncoded: metrics.encoded });
  const cache = new FeatureCache(options.cacheBytesMax);
  metrics.watch(() => ({ facts: cache.facts, bytesMax: cache.bytesMax, waitingCount: thread.load }));
  const { imageSize, rowsPerTile, textHiddenSize: hiddenSize } = config;
  return {
    cache,
    service: visionService({
      encoder: thread,
      cache,
      imageSize,
      rowsPerTile,
      hiddenSize,
      accepting: options.accepting,
      tracer: options.tracer,
    }),
    facts: () => ({ ...cache.facts, bytesMax: cache.bytesMax, waitingCount: thread.load }),
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose](),
  };
}
