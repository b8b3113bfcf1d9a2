import { join } from "node:path";
import { DroverError } from "@drover/core";
import { expect, test } from "vitest";
import { releasedStyle, transformersStyle } from "../testing/configs.ts";
import { repository, shared, withoutReferenceData } from "../testing/reference-data.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { loadModelConfig, type ModelConfig } from "./model-config.ts";

async function load(config: unknown): Promise<ModelConfig> {
  await using folder = await temporaryFolder({ "config.json": JSON.stringify(config) });
  return await loadModelConfig(folder.path);
}

/** The field that loading complains of, once the message is known to name it and the file. */
async function fieldAtFault(changes: Record<string, unknown>): Promise<string | undefined> {
  const error = await load({ ...releasedStyle, ...changes }).catch((thrown: unknown) => thrown);
  if (!(error instanceof DroverError) || error.field === undefined) return undefined;
  expect(error.code).toBe("invalid_argument");
  expect(error.message).toContain(`config.json: ${error.field}`);
  return error.field;
}

test("both styles of config.json give the same model", async () => {
  const config = await load(releasedStyle);
  expect(await load(transformersStyle)).toEqual(config);
  expect(config).toEqual({
    modelType: "llama4_text",
    vocabSize: 32,
    hiddenSize: 8,
    layerCount: 4,
    headCount: 4,
    kvHeadCount: 2,
    headDim: 4,
    expertWidth: 6,
    denseWidth: 10,
    expertCount: 3,
    expertsPerToken: 1,
    moeLayers: [1, 3],
    isGlobalLayer: [false, false, false, true],
    chunkSize: 16,
    maxPositionEmbeddings: 1024,
    rmsNormEps: 1e-5,
    useQkNorm: true,
    ropeTheta: 10_000,
    ropeScaling: { factor: 16, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 64 },
    temperatureTuning: { scale: 0.1, floorScale: 16 },
    tieWordEmbeddings: false,
    imageTokenId: undefined,
  });
});

test("a whole model's text part is the same as a text-only model", async () => {
  const whole = await load({ model_type: "llama4", image_token_index: 31, text_config: releasedStyle });
  expect(whole).toEqual({ ...(await load(releasedStyle)), modelType: "llama4", imageTokenId: 31 });
});

test("the config is frozen to its leaves", async () => {
  const config = await load(releasedStyle);
  for (const part of [config, config.moeLayers, config.isGlobalLayer, config.ropeScaling, config.temperatureTuning])
    expect(Object.isFrozen(part)).toBe(true);
});

test("the styles' switches are read in every form", async () => {
  expect((await load({ ...releasedStyle, attn_temperature_tuning: true })).temperatureTuning).not.toBeNull();
  expect((await load({ ...releasedStyle, attn_temperature_tuning: false })).temperatureTuning).toBeNull();
  expect((await load({ ...releasedStyle, attn_temperature_tuning: 0 })).temperatureTuning).toBeNull();
  expect((await load({ ...releasedStyle, rope_scaling: null })).ropeScaling).toBeNull();
  const unscaled = { ...transformersStyle, rope_parameters: { rope_theta: 7, rope_type: "default" } };
  expect(await load(unscaled)).toMatchObject({ ropeTheta: 7, ropeScaling: null });
  expect((await load({ ...releasedStyle, no_rope_layers: [1, 0, 1, 0] })).isGlobalLayer).toEqual([
    false,
    true,
    false,
    true,
  ]);
  expect((await load({ ...releasedStyle, no_rope_layer_interval: 2 })).isGlobalLayer).toEqual([
    false,
    true,
    false,
    true,
  ]);
  expect((await load({ ...releasedStyle, interleave_moe_layer_step: 1 })).moeLayers).toEqual([0, 1, 2, 3]);
  expect((await load({ ...releasedStyle, tie_word_embeddings: true })).tieWordEmbeddings).toBe(true);
});

test("RoPE is that of rope_scaling where both styles say something, as in transformers, and of rope_parameters where it is empty", async () => {
  const parameters = { rope_theta: 7, rope_type: "default" };
  expect(await load({ ...releasedStyle, rope_parameters: parameters })).toMatchObject({
    ropeTheta: 10_000,
    ropeScaling: { factor: 16 },
  });
  expect(await load({ ...releasedStyle, rope_parameters: {} })).toMatchObject({ ropeScaling: { factor: 16 } });
  const empty = { ...releasedStyle, rope_scaling: {}, rope_theta: undefined, rope_parameters: parameters };
  expect(await load(empty)).toMatchObject({ ropeTheta: 7, ropeScaling: null });
});

test("a shortened model's no_rope_layers may go on for layers that it no longer has", async () => {
  const config = await load({ ...releasedStyle, no_rope_layers: [1, 0, 1, 0, 1, 0, 1, 0] });
  expect(config.isGlobalLayer).toEqual([false, true, false, true]);
});

test.each([
  [true, false],
  [false, true],
])("embedding and head are one where the whole (%s) or its text part (%s) says so", async (whole, part) => {
  const config = {
    model_type: "llama4",
    tie_word_embeddings: whole,
    text_config: { ...releasedStyle, tie_word_embeddings: part },
  };
  expect((await load(config)).tieWordEmbeddings).toBe(true);
});

test("a model without dense layers may leave their width out, and no other may", async () => {
  const { intermediate_size_mlp: _, ...rest } = releasedStyle;
  expect((await load({ ...rest, interleave_moe_layer_step: 1 })).layerCount).toBe(4);
  await expect(load(rest)).rejects.toThrow(/intermediate_size_mlp is missing/);
});

test("what is missing, wrong or no Llama 4 is refused by file and field", async () => {
  const cases: [changes: Record<string, unknown>, field: string][] = [
    [{ model_type: "llama" }, "model_type"],
    [{ model_type: undefined }, "model_type"],
    [{ vocab_size: undefined }, "vocab_size"],
    [{ hidden_size: 0 }, "hidden_size"],
    [{ hidden_size: "8" }, "hidden_size"],
    [{ num_hidden_layers: 1.5 }, "num_hidden_layers"],
    [{ num_key_value_heads: 3 }, "num_key_value_heads"],
    [{ head_dim: 5 }, "head_dim"],
    [{ num_experts_per_tok: 2 }, "num_experts_per_tok"],
    [{ attention_bias: true }, "attention_bias"],
    [{ hidden_act: "gelu" }, "hidden_act"],
    [{ use_qk_norm: 1 }, "use_qk_norm"],
    [{ rms_norm_eps: 0 }, "rms_norm_eps"],
    [{ floor_scale: 0 }, "floor_scale"],
    [{ attn_temperature_tuning: "yes" }, "attn_temperature_tuning"],
    [{ moe_layers: [1, 4] }, "moe_layers"],
    [{ moe_layers: [1, 1] }, "moe_layers"],
    [{ no_rope_layers: [1, 1, 0] }, "no_rope_layers"],
    [{ no_rope_layers: [1, 1, 1, 2] }, "no_rope_layers[3]"],
    [{ layer_types: ["full_attention", "sliding_attention", "full_attention", "full_attention"] }, "layer_types[1]"],
    [{ no_rope_layers: [1, 1, 1, 0], layer_types: Array(4).fill("full_attention") }, "layer_types"],
    [{ rope_theta: -1 }, "rope_theta"],
    [{ rope_scaling: { rope_type: "yarn" } }, "rope_scaling.rope_type"],
    [{ rope_scaling: { rope_type: "llama3", factor: 8 } }, "rope_scaling.low_freq_factor"],
    [{ rope_scaling: undefined, rope_parameters: { rope_theta: 0 } }, "rope_parameters.rope_theta"],
    [{ rope_scaling: [] }, "rope_scaling"],
    [{ rope_scaling: { rope_type: "default", partial_rotary_factor: 0.5 } }, "rope_scaling.partial_rotary_factor"],
    [{ partial_rotary_factor: 0.5 }, "partial_rotary_factor"],
    [{ attention_chunk_size: null }, "attention_chunk_size"],
  ];
  for (const [changes, field] of cases) expect(await fieldAtFault(changes), JSON.stringify(changes)).toBe(field);
});

test("a folder without a readable config.json is refused by its path", async () => {
  await using empty = await temporaryFolder({});
  await expect(loadModelConfig(empty.path)).rejects.toThrow(/config.json cannot be read/);
  await using spoiled = await temporaryFolder({ "config.json": "{" });
  await expect(loadModelConfig(spoiled.path)).rejects.toThrow(/config.json is not valid JSON/);
  await using list = await temporaryFolder({ "config.json": "[]" });
  await expect(loadModelConfig(list.path)).rejects.toThrow(/does not hold a JSON object/);
});

test("the shipped model is Maverick's structure, small", async () => {
  const config = await loadModelConfig(join(repository, "models/nano"));
  expect(config).toMatchObject({ layerCount: 8, expertCount: 128, chunkSize: 256, useQkNorm: false });
  expect(config.moeLayers).toEqual([1, 3, 5, 7]);
  expect(config.isGlobalLayer.flatMap((isGlobal, layer) => (isGlobal ? [layer] : []))).toEqual([3, 7]);
});

test.skipIf(withoutReferenceData)("the random Scout is Scout's structure (needs ../shared)", async () => {
  const config = await loadModelConfig(join(shared, "goldens/scout/checkpoint"));
  expect(config.moeLayers).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(config.useQkNorm).toBe(true);
  expect(config.ropeScaling).toMatchObject({ factor: 16, lowFreqFactor: 1, highFreqFactor: 1 });
});
