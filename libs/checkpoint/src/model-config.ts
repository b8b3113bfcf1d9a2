import { join } from "node:path";
import { FieldReader, readJsonObject } from "./json-file.ts";

/** RoPE's llama3 scaling. */
export type RopeScaling = Readonly<{
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalMaxPositionEmbeddings: number;
}>;

/** Every number of a Llama 4 text model, from config.json. */
export type ModelConfig = Readonly<{
  vocabSize: number;
  hiddenSize: number;
  layerCount: number;
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  /** Width of routed experts and of the shared expert (`intermediate_size`). */
  expertWidth: number;
  /** Width of dense layers (`intermediate_size_mlp`). */
  denseWidth: number;
  expertCount: number;
  /** Layers with experts, ascending. */
  moeLayers: readonly number[];
  /** NoPE layers, which attend to everything. */
  isGlobalLayer: readonly boolean[];
  chunkSize: number;
  maxPositionEmbeddings: number;
  rmsNormEps: number;
  useQkNorm: boolean;
  ropeTheta: number;
  ropeScaling: RopeScaling | null;
  /** Of queries in global layers: `1 + scale * ln(1 + floor((position + 1) / floorScale))`; null when off. */
  temperatureTuning: Readonly<{ scale: number; floorScale: number }> | null;
  tieWordEmbeddings: boolean;
  /** The patch placeholder's id, where the checkpoint reads images. */
  imageTokenId: number | undefined;
}>;

/**
 * Reads config.json of a Llama 4 checkpoint, whole (`text_config` inside) or text only, in transformers 5's style (`rope_parameters`,
 * `layer_types`, `moe_layers`) or the released checkpoints' (`rope_theta`, `rope_scaling`, intervals).
 * Errors: `invalid_argument` naming file and field.
 */
export async function loadModelConfig(directory: string): Promise<ModelConfig> {
  const path = join(directory, "config.json");
  const outer = new FieldReader(await readJsonObject(path), path);
  const text = outer.object("text_config") ?? outer;
  const modelType = text.text("model_type");
  if (modelType !== "llama4_text" && modelType !== "llama4")
    text.fail("model_type", `is ${modelType ?? "missing"}; Drover serves llama4`);
  const layerCount = text.count("num_hidden_layers");
  const hiddenSize = text.count("hidden_size");
  const headCount = text.count("num_attention_heads");
  const kvHeadCount = text.count("num_key_value_heads", headCount);
  const headDim = text.count("head_dim", Math.floor(hiddenSize / headCount));
  if (headCount % kvHeadCount !== 0) text.fail("num_key_value_heads", "must divide num_attention_heads");
  if (headDim % 2 !== 0) text.fail("head_dim", "must be even");
  if (text.count("num_experts_per_tok", 1) !== 1) text.fail("num_experts_per_tok", "must be 1");
  if (text.boolean("attention_bias", false)) text.fail("attention_bias", "must be false");
  const activation = text.text("hidden_act") ?? "silu";
  if (activation !== "silu") text.fail("hidden_act", "must be silu");
  return Object.freeze({
    vocabSize: text.count("vocab_size"),
    hiddenSize,
    layerCount,
    headCount,
    kvHeadCount,
    headDim,
    expertWidth: text.count("intermediate_size"),
    denseWidth: text.count("intermediate_size_mlp", text.count("intermediate_size")),
    expertCount: text.count("num_local_experts"),
    moeLayers: moeLayers(text, layerCount),
    isGlobalLayer: globalLayers(text, layerCount),
    chunkSize: text.count("attention_chunk_size", 8192),
    maxPositionEmbeddings: text.count("max_position_embeddings"),
    rmsNormEps: text.number("rms_norm_eps", 1e-5),
    useQkNorm: text.boolean("use_qk_norm", true),
    ...rope(text),
    temperatureTuning: temperature(text),
    tieWordEmbeddings: (outer.raw("tie_word_embeddings") ?? text.raw("tie_word_embeddings")) === true,
    imageTokenId:
      outer.raw("image_token_index") === undefined ? undefined : outer.count("image_token_index", undefined, 0),
  });
}

function moeLayers(text: FieldReader, layerCount: number): readonly number[] {
  const named = text.list("moe_layers");
  if (named !== undefined && named.length > 0) {
    const layers = named.map((layer) => {
      if (!Number.isSafeInteger(layer) || Number(layer) < 0 || Number(layer) >= layerCount)
        text.fail("moe_layers", "must name layers");
      return Number(layer);
    });
    return layers.sort((a, b) => a - b);
  }
  const step = text.count("interleave_moe_layer_step", 1);
  return range(layerCount).filter((layer) => (layer + 1) % step === 0);
}

function globalLayers(text: FieldReader, layerCount: number): readonly boolean[] {
  const types = text.list("layer_types");
  if (types !== undefined && types.length > 0) {
    if (types.length !== layerCount) text.fail("layer_types", `must have ${layerCount} entries`);
    return types.map((type) => {
      if (type !== "full_attention" && type !== "chunked_attention")
        text.fail("layer_types", "must be full_attention or chunked_attention");
      return type === "full_attention";
    });
  }
  const flags = text.list("no_rope_layers");
  if (flags !== undefined && flags.length > 0) {
    if (flags.length !== layerCount) text.fail("no_rope_layers", `must have ${layerCount} entries`);
    return flags.map((flag) => flag === 0 || flag === false);
  }
  const interval = text.count("no_rope_layer_interval", 4);
  return range(layerCount).map((layer) => (layer + 1) % interval === 0);
}

function rope(text: FieldReader): Pick<ModelConfig, "ropeTheta" | "ropeScaling"> {
  const parameters = text.object("rope_parameters");
  const scaling = parameters ?? text.object("rope_scaling");
  const ropeTheta =
    parameters?.number("rope_theta", text.number("rope_theta", 500_000)) ?? text.number("rope_theta", 500_000);
  const type = scaling?.text("rope_type") ?? scaling?.text("type") ?? "default";
  if (scaling === undefined || type === "default") return { ropeTheta, ropeScaling: null };
  if (type !== "llama3") scaling.fail("rope_type", `is ${type}; Drover knows default and llama3`);
  return {
    ropeTheta,
    ropeScaling: {
      factor: scaling.number("factor"),
      lowFreqFactor: scaling.number("low_freq_factor"),
      highFreqFactor: scaling.number("high_freq_factor"),
      originalMaxPositionEmbeddings: scaling.number("original_max_position_embeddings"),
    },
  };
}

/** `attn_temperature_tuning` is true by default, and some early configs write 4 for it. */
function temperature(text: FieldReader): ModelConfig["temperatureTuning"] {
  const on = text.raw("attn_temperature_tuning") ?? true;
  if (on === false || on === 0) return null;
  return { scale: text.number("attn_scale", 0.1), floorScale: text.number("floor_scale", 8192) };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
