const text = {
  vocab_size: 202_048,
  hidden_size: 5120,
  num_hidden_layers: 48,
  num_attention_heads: 40,
  num_key_value_heads: 8,
  head_dim: 128,
  intermediate_size: 8192,
  intermediate_size_mlp: 16_384,
  num_experts_per_tok: 1,
  attention_chunk_size: 8192,
};
const vision_config = {
  hidden_size: 1408,
  num_hidden_layers: 34,
  num_attention_heads: 16,
  intermediate_size: 5632,
  image_size: 336,
  patch_size: 14,
  vision_output_dim: 4096,
  projector_input_dim: 4096,
  projector_output_dim: 4096,
};

/** config.json with Maverick's numbers. */
export const maverickConfig = {
  model_type: "llama4",
  torch_dtype: "bfloat16",
  text_config: {
    ...text,
    num_local_experts: 128,
    interleave_moe_layer_step: 2,
    use_qk_norm: false,
    max_position_embeddings: 1_048_576,
  },
  vision_config,
};

/** config.json with Scout's numbers. */
export const scoutConfig = {
  model_type: "llama4",
  torch_dtype: "bfloat16",
  text_config: {
    ...text,
    num_local_experts: 16,
    interleave_moe_layer_step: 1,
    use_qk_norm: true,
    max_position_embeddings: 10_485_760,
  },
  vision_config,
};

/** compressed-tensors' FP8 of the MLPs alone. */
export const compressedFp8 = {
  quant_method: "compressed-tensors",
  format: "float-quantized",
  ignore: ["re:.*lm_head", "re:.*self_attn", "re:.*router", "re:vision_model.*", "multi_modal_projector.linear_1"],
};

/** fbgemm's FP8 of the routed experts alone. */
export const fbgemmFp8 = {
  quant_method: "fbgemm_fp8",
  modules_to_not_convert: ["re:.*lm_head", "re:.*self_attn", "re:.*_proj", "vision_model", "multi_modal_projector"],
};

const schemeOf = (weights: object, input_activations: object | null = null) => ({
  config_groups: { group_0: { targets: ["Linear"], weights, input_activations } },
});

/** llm-compressor's quantizations of Llama 4, each of the MLPs alone; of 4 bits also with zero points. */
const leftOut = { quant_method: "compressed-tensors", ignore: compressedFp8.ignore };
export const w4a16 = (symmetric: boolean, group_size: number | null) => ({
  ...leftOut,
  format: "pack-quantized",
  ...schemeOf({ num_bits: 4, type: "int", symmetric, strategy: group_size === null ? "channel" : "group", group_size }),
});
export const w8a8 = {
  ...leftOut,
  format: "int-quantized",
  ...schemeOf(
    { num_bits: 8, type: "int", symmetric: true, strategy: "channel" },
    { num_bits: 8, type: "int", dynamic: true, strategy: "token" },
  ),
};
export const nvfp4 = {
  ...leftOut,
  format: "nvfp4-pack-quantized",
  ...schemeOf({ num_bits: 4, type: "float", symmetric: true, strategy: "tensor_group", group_size: 16 }),
};
export const blockFp8 = {
  ...leftOut,
  format: "float-quantized",
  ...schemeOf({ num_bits: 8, type: "float", symmetric: true, strategy: "block", block_structure: [128, 128] }),
};

/** transformers' own FP8. */
export const transformersFp8 = {
  quant_method: "fp8",
  weight_block_size: [128, 128],
  modules_to_not_convert: ["re:.*lm_head", "re:.*self_attn", "re:.*router", "vision_model", "multi_modal_projector"],
};

/** ModelOpt's, as it names modules. */
export const modelOpt = (quant_algo: string) => ({
  quant_method: "modelopt",
  quant_algo,
  ignore: ["lm_head", "*self_attn*", "*router", "vision_model*", "multi_modal_projector*"],
});
