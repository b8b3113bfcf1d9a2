import { join } from "node:path";
import { DroverError } from "@drover/core";
import type { ModelShape, Rope, TemperatureTuning } from "@drover/llama4";
import { recognizeFolder } from "../files/foreign-folder.ts";
import { FieldReader, readJsonObject } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";
import { exists } from "../files/shard-index.ts";
import { EXPERTS_MAX, LAYERS_MAX, POSITIONS_MAX } from "../limits.ts";
import { readGlobalLayers, readMoeLayers } from "./layer-pattern.ts";
import { readStoredForms } from "./quantization-config.ts";
import { readRope } from "./rope-config.ts";
import type { StoredForms } from "./stored-forms.ts";

/** Every number of a Llama 4 text model, from config.json. */
export type ModelConfig = ModelShape &
  Rope &
  Readonly<{
    /** The file's own: `llama4`, or `llama4_text` for a checkpoint without vision. */
    modelType: string;
    /** Always 1 in Llama 4; anything else is refused. */
    expertsPerToken: number;
    rmsNormEps: number;
    useQkNorm: boolean;
    /** Null when off. */
    temperatureTuning: TemperatureTuning | null;
    /** The patch placeholder's id, where the checkpoint reads images. */
    imageTokenId: number | undefined;
    /** How quantized weights are stored, where they are. */
    storedForms?: StoredForms | undefined;
  }>;

/**
 * Reads config.json of a Llama 4 checkpoint, whole (`text_config` inside) or text only, in transformers 5's style (`rope_parameters`,
 * `layer_types`, `moe_layers`) or the released checkpoints' (`rope_theta`, `rope_scaling`, intervals).
 * Errors: `invalid_argument` naming file and field.
 */
export async function loadModelConfig(directory: string): Promise<ModelConfig> {
  const path = join(directory, "config.json");
  await requireConfig(path, directory);
  const outer = new FieldReader(await readJsonObject(path), path);
  const modelType = outer.text("model_type");
  if (modelType !== "llama4" && modelType !== "llama4_text")
    return outer.fail(
      "model_type",
      `is ${modelType === undefined ? "missing" : quoted(modelType)}; Drover serves llama4 and llama4_text`,
    );
  const text = outer.object("text_config") ?? outer;
  refuseOtherModels(text);
  const storedForms = await readStoredForms(directory, [outer, text]);
  const layerCount = text.count("num_hidden_layers", undefined, 1, LAYERS_MAX);
  const moeLayers = readMoeLayers(text, layerCount);
  const expertWidth = text.count("intermediate_size");
  return Object.freeze({
    modelType,
    vocabSize: text.count("vocab_size"),
    layerCount,
    ...readHeads(text),
    expertWidth,
    // A model without dense layers, such as Scout, may leave their width out.
    denseWidth: text.count("intermediate_size_mlp", moeLayers.length === layerCount ? expertWidth : undefined),
    expertCount: text.count("num_local_experts", undefined, 1, EXPERTS_MAX),
    expertsPerToken: 1,
    moeLayers,
    isGlobalLayer: readGlobalLayers(text, layerCount),
    chunkSize: text.count("attention_chunk_size", 8192),
    maxPositionEmbeddings: text.count("max_position_embeddings", undefined, 1, POSITIONS_MAX),
    rmsNormEps: text.positive("rms_norm_eps", 1e-5),
    useQkNorm: text.boolean("use_qk_norm", true),
    ...readRope(text),
    temperatureTuning: readTemperature(text),
    // transformers writes false for the whole even where the text part says true, and ties that part by its own.
    tieWordEmbeddings: outer.boolean("tie_word_embeddings", false) || text.boolean("tie_word_embeddings", false),
    storedForms,
    imageTokenId: outer.optionalId("image_token_index") ?? outer.optionalId("image_token_id"),
  });
}

/** Errors: `invalid_argument` saying what the folder is, where it is no checkpoint. */
async function requireConfig(path: string, directory: string): Promise<void> {
  if (await exists(path)) return;
  const what = await recognizeFolder(directory);
  throw new DroverError("invalid_argument", `${path} cannot be read${what === undefined ? "" : `: ${what}`}`);
}

function readHeads(text: FieldReader): Pick<ModelConfig, "hiddenSize" | "headCount" | "kvHeadCount" | "headDim"> {
  const hiddenSize = text.count("hidden_size");
  const headCount = text.count("num_attention_heads");
  const kvHeadCount = text.count("num_key_value_heads", headCount);
  const headDim = text.count("head_dim", Math.floor(hiddenSize / headCount));
  if (headCount % kvHeadCount !== 0) text.fail("num_key_value_heads", "must divide num_attention_heads");
  if (headDim % 2 !== 0) text.fail("head_dim", "must be even");
  return { hiddenSize, headCount, kvHeadCount, headDim };
}

/** What would change the mathematics and is in no Llama 4. */
function refuseOtherModels(text: FieldReader): void {
  if (text.count("num_experts_per_tok", 1) !== 1) text.fail("num_experts_per_tok", "must be 1");
  if (text.boolean("attention_bias", false)) text.fail("attention_bias", "must be false");
  if ((text.text("hidden_act") ?? "silu") !== "silu") text.fail("hidden_act", "must be silu");
}

/** `attn_temperature_tuning` is on by default, and some early configs write 4 for true. */
function readTemperature(text: FieldReader): TemperatureTuning | null {
  const on = text.raw("attn_temperature_tuning") ?? true;
  if (typeof on !== "boolean" && typeof on !== "number") {
    return text.fail("attn_temperature_tuning", "must be true, false or a number");
  }
  if (!on) return null;
  return Object.freeze({ scale: text.number("attn_scale", 0.1), floorScale: text.positive("floor_scale", 8192) });
}
