import { join } from "node:path";
import { DroverError } from "@drover/core";
import { expect, test } from "vitest";
import { releasedStyle } from "../testing/configs.ts";
import { shared, withoutReferenceData } from "../testing/reference-data.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { loadVisionConfig, type VisionConfig } from "./vision-config.ts";

/** Maverick's numbers, as the released checkpoints write them. */
const released: Readonly<Record<string, unknown>> = {
  hidden_act: "gelu",
  hidden_size: 1408,
  image_size: 336,
  intermediate_size: 5632,
  multi_modal_projector_bias: false,
  norm_eps: 1e-5,
  num_attention_heads: 16,
  num_channels: 3,
  num_hidden_layers: 34,
  patch_size: 14,
  pixel_shuffle_ratio: 0.5,
  projector_input_dim: 4096,
  projector_output_dim: 4096,
  rope_theta: 10_000,
  vision_feature_layer: -1,
  vision_feature_select_strategy: "default",
  vision_output_dim: 4096,
};

async function load(outer: Record<string, unknown>): Promise<VisionConfig | undefined> {
  await using folder = await temporaryFolder({ "config.json": JSON.stringify(outer) });
  return await loadVisionConfig(folder.path);
}

const whole = (vision: unknown) => ({ model_type: "llama4", text_config: releasedStyle, vision_config: vision });

test("sides may be written twice, as for a picture that is no square, which is refused", async () => {
  const twice = { ...released, image_size: [336, 336], patch_size: [14, 14] };
  expect(await load(whole(twice))).toEqual(await load(whole(released)));
  await expect(load(whole({ ...released, image_size: [336, 448] }))).rejects.toThrow(
    /vision_config.image_size must be/,
  );
  await expect(load(whole({ ...released, patch_size: [14] }))).rejects.toThrow(/vision_config.patch_size must be/);
});

test("both styles of config.json give the same encoder", async () => {
  const { rope_theta, ...rest } = released;
  const config = await load(whole(released));
  expect(await load(whole({ ...rest, rope_parameters: { rope_theta, rope_type: "default" } }))).toEqual(config);
  expect(config).toEqual({
    hiddenSize: 1408,
    layerCount: 34,
    headCount: 16,
    headDim: 88,
    mlpWidth: 5632,
    imageSize: 336,
    patchSize: 14,
    gridSize: 24,
    shuffle: 2,
    adapterWidth: 4096,
    outputWidth: 4096,
    hasProjectorBias: false,
    ropeTheta: 10_000,
    textHiddenSize: 8,
    rowsPerTile: 144,
  });
});

test("a checkpoint of text alone has no encoder", async () => {
  expect(await load(releasedStyle)).toBeUndefined();
  expect(await load({ model_type: "llama4", text_config: releasedStyle, vision_config: null })).toBeUndefined();
  expect(await load({ ...whole(released), model_type: "llama4_text" })).toBeUndefined();
});

test("a number that cannot be is refused, and the error names its field", async () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["hidden_size", undefined],
    ["hidden_size", 0],
    ["hidden_size", "1408"],
    ["num_hidden_layers", 1.5],
    ["num_attention_heads", 15],
    ["num_attention_heads", 704],
    ["image_size", 335],
    ["patch_size", -14],
    ["pixel_shuffle_ratio", 0],
    ["pixel_shuffle_ratio", 0.3],
    ["pixel_shuffle_ratio", 0.2],
    ["intermediate_size", 5633],
    ["projector_input_dim", 4095],
    ["projector_output_dim", 4095],
    ["num_channels", 4],
    ["hidden_act", "relu"],
    ["rope_theta", 0],
    ["vision_feature_select_strategy", "full"],
    ["multi_modal_projector_bias", "no"],
  ];
  for (const [field, value] of wrong) {
    const error = await load(whole({ ...released, [field]: value })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DroverError);
    expect((error as DroverError).field).toBe(`vision_config.${field}`);
    expect((error as DroverError).message).toContain("config.json");
  }
});

test.skipIf(withoutReferenceData)("the reference checkpoints' encoders are read", async () => {
  expect(await loadVisionConfig(join(shared, "nano"))).toMatchObject({ gridSize: 8, headDim: 24, rowsPerTile: 16 });
  expect(await loadVisionConfig(join(shared, "goldens/scout/checkpoint"))).toMatchObject({
    gridSize: 4,
    headDim: 16,
    rowsPerTile: 4,
  });
});
