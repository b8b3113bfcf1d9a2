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
