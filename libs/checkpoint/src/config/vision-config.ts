import { join } from "node:path";
import type { VisionShape } from "@drover/llama4";
import type { Checkpoint } from "../files/checkpoint.ts";
import { FieldReader, readJsonObject } from "../files/json-file.ts";
import { LAYERS_MAX } from "../limits.ts";
import { readStoredForms } from "./quantization-config.ts";
import type { StoredForms } from "./stored-forms.ts";

/** Every number of a Llama 4 vision encoder, its adapter and its projector, from config.json. */
export type VisionConfig = VisionShape &
  Readonly<{
    headDim: number;
    ropeTheta: number;
    /** Rows of features that a tile becomes. */
    rowsPerTile: number;
    /** How quantized weights are stored, where they are. */
    storedForms?: StoredForms | undefined;
  }>;

const ROPE_THETA_DEFAULT = 10_000;
const CHANNELS = 3;

/**
 * Reads the vision part of config.json, in transformers 5's style (`rope_parameters`) or the released checkpoints' (`rope_theta`); undefined for a
 * checkpoint of text alone. `norm_eps` is not read: the reference's layers never use it. Errors: `invalid_argument` naming file and field.
 */
export async function loadVisionConfig(directory: string): Promise<VisionConfig | undefined> {
  const path = join(directory, "config.json");
  const outer = new FieldReader(await readJsonObject(path), path);
  const vision = outer.object("vision_config");
  if (vision === undefined || outer.text("model_type") === "llama4_text") return undefined;
  refuseOtherEncoders(vision);
  const tile = readTile(vision);
  const hidden = readHeads(vision);
  const mlpWidth = vision.count("intermediate_size");
  if (mlpWidth !== hidden.hiddenSize * tile.shuffle ** 2)
    vision.fail("intermediate_size", "must be hidden_size / pixel_shuffle_ratio^2, which is what the adapter reads");
  const outputWidth = vision.count("vision_output_dim");
  const adapterWidth = vision.count("projector_input_dim", outputWidth);
  for (const [field, value] of [
    ["projector_input_dim", adapterWidth],
    ["projector_output_dim", vision.count("projector_output_dim", outputWidth)],
  ] as const) {
    if (value !== outputWidth) vision.fail(field, `must be vision_output_dim, which is ${outputWidth}`);
  }
  const rope = vision.object("rope_parameters");
  return Object.freeze({
    ...hidden,
    ...tile,
    layerCount: vision.count("num_hidden_layers", undefined, 1, LAYERS_MAX),
    mlpWidth,
    adapterWidth,
    outputWidth,
    hasProjectorBias: vision.boolean("multi_modal_projector_bias", false),
    ropeTheta: (rope?.raw("rope_theta") === undefined ? vision : rope).positive("rope_theta", ROPE_THETA_DEFAULT),
    storedForms: await readStoredForms(directory, [outer, outer.object("text_config") ?? outer]),
    textHiddenSize: (outer.object("text_config") ?? outer).count("hidden_size"),
  });
}

/** Whether the checkpoint has the encoder's weights: a config.json may describe an encoder that a text-only copy has left out. */
export function hasVisionTensors(checkpoint: Pick<Checkpoint, "has">): boolean {
  return checkpoint.has("vision_model.patch_embedding.linear.weight");
}

function readTile(
  vision: FieldReader,
): Pick<VisionConfig, "imageSize" | "patchSize" | "gridSize" | "shuffle" | "rowsPerTile"> {
  const imageSize = readSide(vision, "image_size");
  const patchSize = readSide(vision, "patch_size");
  if (imageSize % patchSize !== 0) vision.fail("image_size", "must be a multiple of patch_size");
  const gridSize = imageSize / patchSize;
  const shuffle = 1 / vision.positive("pixel_shuffle_ratio", 0.5);
  if (!Number.isInteger(shuffle) || gridSize % shuffle !== 0)
    vision.fail("pixel_shuffle_ratio", `must be 1 / n for an n that divides ${gridSize}, the patches of a side`);
  return { imageSize, patchSize, gridSize, shuffle, rowsPerTile: (gridSize / shuffle) ** 2 };
}

/** The side of a square: one number, or the same one twice, as transformers 5 may write it. */
function readSide(vision: FieldReader, field: string): number {
  const value = vision.raw(field);
  if (!Array.isArray(value)) return vision.count(field);
  const [height, width] = value;
  if (value.length !== 2 || !Number.isSafeInteger(height) || height < 1 || height !== width)
    return vision.fail(field, "must be one whole number above 0, or the same one twice");
  return height;
}

function readHeads(vision: FieldReader): Pick<VisionConfig, "hiddenSize" | "headCount" | "headDim"> {
  const hiddenSize = vision.count("hidden_size");
  const headCount = vision.count("num_attention_heads");
  if (hiddenSize % headCount !== 0) vision.fail("num_attention_heads", "must divide hidden_size");
  const headDim = hiddenSize / headCount;
  // Pairs of numbers turn by the column in the first half of a head and by the row in the second.
  if (headDim % 4 !== 0) vision.fail("num_attention_heads", `makes heads of ${headDim}, which must be a multiple of 4`);
  return { hiddenSize, headCount, headDim };
}

/** What would change the mathematics and is in no Llama 4. */
function refuseOtherEncoders(vision: FieldReader): void {
  if (vision.count("num_channels", CHANNELS) !== CHANNELS) vision.fail("num_channels", `must be ${CHANNELS}`);
  if ((vision.text("hidden_act") ?? "gelu") !== "gelu") vision.fail("hidden_act", "must be gelu");
  const rope = vision.object("rope_parameters");
  const type = rope?.text("rope_type") ?? "default";
  if (type !== "default") rope?.fail("rope_type", `is ${type}; Drover knows default for vision`);
  const select = vision.text("vision_feature_select_strategy") ?? "default";
  if (select !== "default") vision.fail("vision_feature_select_strategy", "must be default");
}
