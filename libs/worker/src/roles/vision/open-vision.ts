import { type VisionConfig, VisionWeights } from "@drover/checkpoint";
import { CardVision, visionMisfit } from "@drover/cuda";
import { VisionThread } from "@drover/onnx";
import type { RoleContext } from "../../role-context.ts";
import type { TileEncoder } from "./feature-encodings.ts";

/** What computes features on a worker's device: images that wait or are being encoded, and what rejects when its card has failed. */
export type OpenedVision = TileEncoder &
  AsyncDisposable &
  Readonly<{
    load: number;
    failed?: Promise<never>;
  }>;

/**
 * Loads the encoder on the worker's card, between whose steps it encodes, or on a thread of the CPU; also where the card has no kernels for its sizes. Errors: the checkpoint's;
 * `overloaded` where the card is full.
 */
export async function openVision(
  { options, model, device }: RoleContext,
  config: VisionConfig,
  onEncoded: (tileCount: number, seconds: number) => void,
): Promise<OpenedVision> {
  const { logger, visionThreads: threads, ending } = options;
  const { checkpoint } = model;
  const misfit = device.kind === "cuda" ? visionMisfit(config) : undefined;
  if (misfit !== undefined) logger.warn("vision.not_on_card", { reason: misfit });
  if (device.kind === "cpu" || misfit !== undefined)
    return VisionThread.start({ directory: checkpoint.directory, config, threads, logger, onEncoded });
  const { cuda, precision, kernelFolder: cacheFolder, stream, use } = device;
  const weights = new VisionWeights(checkpoint, config);
  const card = await CardVision.load(
    cuda,
    config,
    weights,
    { precision, cacheFolder, stream, onEncoded },
    ending.asked,
  );
  use.add({ memory: card.memory, kind: "vision" });
  return card;
}
