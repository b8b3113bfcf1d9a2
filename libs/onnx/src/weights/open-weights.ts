import {
  type Checkpoint,
  ConvertedWeights,
  describeSetting,
  LayerWeights,
  type Manifest,
  type ModelConfig,
  manifestFingerprint,
  type Quantization,
  quantizationName,
  readManifest,
  TextWeights,
} from "@drover/checkpoint";
import { DroverError, type Logger } from "@drover/core";
import { packingKind } from "./matrix-packer.ts";
import type { ModelWeights } from "./model-weights.ts";

/** Weights to serve, and what tells apart fleets that compute differently. */
export type OpenedWeights = Readonly<{ weights: ModelWeights; fingerprint: string }>;

/**
 * A checkpoint's weights: mapped where the folder was converted, otherwise read and quantized as `quantization` says (null: in f32).
 * `isMapped`: whether the weights are for this CPU's kernels; if not, how these pack is not asked. Errors: the checkpoint's; `invalid_argument` with the field `quantize` where a converted folder is another's.
 */
export async function openWeights(
  checkpoint: Checkpoint,
  config: ModelConfig,
  quantization: Quantization | null,
  logger: Logger,
  signal: AbortSignal,
  isMapped = true,
): Promise<OpenedWeights> {
  if (config.storedForms?.quantizesActivations === true)
    logger.info("weights.activations", {
      reason: "the checkpoint quantizes activations too; they are computed in f32",
    });
  const manifest = await readManifest(checkpoint.directory);
  if (manifest === null) {
    const weights = new LayerWeights(new TextWeights(checkpoint, config), quantization);
    const name = quantizationName(quantization);
    return { weights, fingerprint: name === null ? checkpoint.fingerprint : `${checkpoint.fingerprint}-${name}` };
  }
  refuseOther(manifest, quantization, checkpoint.directory);
  const packing = isMapped ? await packingKind(manifest.setting.layers) : "";
  if (isMapped && packing !== manifest.packing) {
    logger.warn("weights.repacked", { reason: "converted on another kind of CPU; packing in memory, not mapped" });
  }
  const weights = new ConvertedWeights(checkpoint, config, manifest, packing, signal);
  return { weights, fingerprint: `${checkpoint.fingerprint}-${manifestFingerprint(manifest)}` };
}

function refuseOther({ setting }: Manifest, quantization: Quantization | null, directory: string): void {
  if (quantization === null) return;
  const { bits, blockSize } = setting.layers;
  if (quantization.bits === bits && quantization.blockSize === blockSize) return;
  const wanted = quantizationName(quantization);
  throw new DroverError(
    "invalid_argument",
    `--quantize: ${directory} was converted to ${describeSetting(setting)} and cannot be served as ${wanted}`,
    { field: "quantize" },
  );
}
