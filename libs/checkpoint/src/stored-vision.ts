import { join } from "node:path";
import { FieldReader, readJsonObject } from "./json-file.ts";
import { LAYERS_MAX, SIZE_MAX } from "./limits.ts";

/** The numbers of config.json that decide how large the tensors of the vision encoder, its adapter and the projector are. */
export type StoredVision = Readonly<{
  hiddenSize: number;
  layerCount: number;
  mlpWidth: number;
  imageSize: number;
  patchSize: number;
  channelCount: number;
  pixelShuffleRatio: number;
  adapterWidth: number;
  outputWidth: number;
}>;

/** Undefined for a checkpoint that has text alone. Errors: `invalid_argument` naming file and field. */
export async function loadStoredVision(directory: string): Promise<StoredVision | undefined> {
  const path = join(directory, "config.json");
  const vision = new FieldReader(await readJsonObject(path), path).object("vision_config");
  if (vision === undefined) return undefined;
  const size = (field: string, fallback?: number) => vision.count(field, fallback, 1, SIZE_MAX);
  const hiddenSize = size("hidden_size");
  const imageSize = size("image_size");
  const patchSize = size("patch_size");
  if (imageSize % patchSize !== 0) vision.fail("image_size", "must be a multiple of patch_size");
  const pixelShuffleRatio = vision.positive("pixel_shuffle_ratio", 0.5);
  if (pixelShuffleRatio > 1) vision.fail("pixel_shuffle_ratio", "must be at most 1");
  const adapterWidth = size("projector_input_dim");
  return Object.freeze({
    hiddenSize,
    layerCount: vision.count("num_hidden_layers", undefined, 1, LAYERS_MAX),
    mlpWidth: size("intermediate_size"),
    imageSize,
    patchSize,
    channelCount: size("num_channels", 3),
    pixelShuffleRatio,
    adapterWidth,
    outputWidth: size("projector_output_dim", adapterWidth),
  });
}
