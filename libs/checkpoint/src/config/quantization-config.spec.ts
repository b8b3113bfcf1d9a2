import { expect, test } from "vitest";
import { releasedStyle } from "../testing/configs.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { loadModelConfig } from "./model-config.ts";

async function formsOf(changes: Record<string, unknown>, files: Record<string, string> = {}) {
  await using folder = await temporaryFolder({
    "config.json": JSON.stringify({ ...releasedStyle, ...changes }),
    ...files,
  });
  return (await loadModelConfig(folder.path)).storedForms;
}

/** As llm-compressor saves it. */
const compressed = (format: string, weights: object, inputs: object | null = null, more: object = {}) => ({
  quant_method: "compressed-tensors",
  format,
  quantization_status: "compressed",
  global_compression_ratio: null,
  ignore: ["language_model.lm_head", "re:.*router"],
  kv_cache_scheme: null,
  config_groups: { group_0: { targets: ["Linear"], weights, input_activations: inputs, output_activations: null } },
  ...more,
});
const modelopt = (quant_algo: unknown, more: object = {}) => ({
  producer: { name: "modelopt", version: "0.31.0" },
  quantization: { quant_algo, kv_cache_quant_algo: "FP8", exclude_modules: ["lm_head", "*router*"], ...more },
});
const plain = { groupSizes: [], blocks: [], bits: [], quantizesActivations: false };
const int4 = { num_bits: 4, type: "int", symmetric: true, strategy: "group", group_size: 64, block_structure: null };
const int8 = { num_bits: 8, type: "int", symmetric: true, strategy: "channel", group_size: null };
const float8 = { num_bits: 8, type: "float", symmetric: true, strategy: "block", block_structure: [128, 128] };

test.each<[string, Record<string, unknown>, object | undefined]>([
  ["nothing", {}, undefined],
  ["w4a16", { quantization_config: compressed("pack-quantized", int4) }, { ...plain, bits: [4], groupSizes: [64] }],
  [
    "an older field",
    { compression_config: compressed("pack-quantized", int4) },
    { ...plain, bits: [4], groupSizes: [64] },
  ],
  [
    "w8a8",
    { quantization_config: compressed("int-quantized", int8, int8) },
    { ...plain, bits: [8], quantizesActivations: true },
  ],
  [
    "FP8 of blocks",
    { quantization_config: compressed("float-quantized", float8, float8) },
    { ...plain, blocks: [[128, 128]], quantizesActivations: true },
  ],
  [
    "an older block",
    { quantization_config: compressed("float-quantized", { ...float8, block_structure: "64x32" }) },
    { ...plain, blocks: [[64, 32]] },
  ],
  [
    "a format for each group",
    {
      quantization_config: {
        ...compressed("mixed-precision", int4),
        config_groups: {
          a: { format: "pack-quantized", weights: int4 },
          b: { format: "float-quantized", weights: float8 },
        },
      },
    },
    { ...plain, bits: [4], groupSizes: [64], blocks: [[128, 128]] },
  ],
  [
    "a preset by name",
    { quantization_config: { ...compressed("pack-quantized", int4), config_groups: { W4A16: ["Linear"] } } },
    plain,
  ],
  [
    "transformers' FP8",
    { quantization_config: { quant_method: "fp8", weight_block_size: [128, 128], activation_scheme: "dynamic" } },
    { ...plain, blocks: [[128, 128]], quantizesActivations: true },
  ],
  ["fbgemm's FP8", { quantization_config: { quant_method: "fbgemm_fp8", activation_scale_ub: 1200 } }, plain],
  [
    "ModelOpt's NVFP4",
    { quantization_config: { quant_method: "modelopt", quant_algo: "NVFP4", ignore: ["lm_head"] } },
    { ...plain, quantizesActivations: true },
  ],
  [
    "ModelOpt's FP8 by its algorithm alone",
    {
      quantization_config: {
        quant_algo: "FP8",
        producer: { name: "modelopt" },
        config_groups: { group_0: { weights: { num_bits: 8, type: "float" } } },
      },
    },
    { ...plain, quantizesActivations: true },
  ],
  [
    "ModelOpt's FP8 in the text's config",
    { text_config: { ...releasedStyle, quantization_config: { quant_method: "modelopt", quant_algo: "FP8" } } },
    { ...plain, quantizesActivations: true },
  ],
])("what a config says of %s is kept", async (_, changes, forms) => {
  expect(await formsOf(changes)).toEqual(forms);
});

test("ModelOpt's own file is read where config.json says nothing, and not where it does", async () => {
  const file = (value: object) => ({ "hf_quant_config.json": JSON.stringify(value) });
  expect(await formsOf({}, file(modelopt("NVFP4", { group_size: 16 })))).toEqual({
    ...plain,
    groupSizes: [16],
    quantizesActivations: true,
  });
  expect(await formsOf({}, file(modelopt(null)))).toEqual(plain);
  const mixed = {
    quantized_layers: { "model.layers.0.self_attn.q_proj": { quant_algo: "W4A16_NVFP4", group_size: 16 } },
  };
  expect((await formsOf({}, file(modelopt("MIXED_PRECISION", mixed))))?.groupSizes).toEqual([16]);
  await expect(formsOf({}, file(modelopt("W4A16_AWQ")))).rejects.toThrow(
    /hf_quant_config.json: quantization.quant_algo is W4A16_AWQ/,
  );
  const both = { quantization_config: { quant_method: "fbgemm_fp8" } };
  expect(await formsOf(both, file(modelopt("W4A16_AWQ")))).toEqual(plain);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  [
    "GPTQ",
    { quantization_config: { quant_method: "gptq", bits: 4 } },
    /quant_method is gptq; Drover reads .*take the model in/,
  ],
  ["AWQ", { quantization_config: { quant_method: "awq" } }, /quant_method is awq/],
  [
    "bitsandbytes",
    { quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } },
    /quant_method is bitsandbytes/,
  ],
  ["MLX", { quantization_config: { group_size: 64, bits: 4 } }, /quant_method is missing, as in MLX's files/],
  ["MLX by its own field", { quantization: { group_size: 64, bits: 4 } }, /config.json: quantization is MLX's/],
  [
    "MXFP4",
    { quantization_config: compressed("mxfp4-pack-quantized", int4) },
    /quantization_config.format is mxfp4-pack-quantized/,
  ],
  [
    "sparse weights",
    { quantization_config: compressed("dense", int8, null, { sparsity_config: { format: "sparse-24-bitmask" } }) },
    /sparsity_config.format is sparse-24-bitmask/,
  ],
  [
    "rotated activations",
    {
      quantization_config: compressed("pack-quantized", int4, null, { transform_config: { config_groups: { u: {} } } }),
    },
    /transform_config turns activations/,
  ],
  [
    "integers of 3 bits",
    { quantization_config: compressed("pack-quantized", { ...int4, num_bits: 3 }) },
    /config_groups.group_0.weights.num_bits is 3/,
  ],
  [
    "blocks of three sides",
    { quantization_config: compressed("float-quantized", { ...float8, block_structure: [1, 2, 3] }) },
    /weights.block_structure must be two whole numbers/,
  ],
  [
    "AWQ by ModelOpt",
    { quantization_config: { quant_method: "modelopt", quant_algo: "NVFP4_AWQ" } },
    /quant_algo is NVFP4_AWQ/,
  ],
])("%s is refused by its field, with what to take instead", async (_, changes, message) => {
  await expect(formsOf(changes)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(message),
  });
});
