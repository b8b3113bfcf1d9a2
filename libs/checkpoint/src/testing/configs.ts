/** A small Llama 4 text config with every layer's kind left to the intervals, as released checkpoints write it. */
export const releasedStyle = {
  model_type: "llama4_text",
  vocab_size: 32,
  hidden_size: 8,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  intermediate_size: 6,
  intermediate_size_mlp: 10,
  num_local_experts: 3,
  num_experts_per_tok: 1,
  interleave_moe_layer_step: 2,
  no_rope_layers: [] as unknown[],
  no_rope_layer_interval: 4,
  attention_chunk_size: 16,
  attn_temperature_tuning: 4 as unknown,
  attn_scale: 0.1,
  floor_scale: 16,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-5,
  use_qk_norm: true,
  rope_theta: 10_000,
  rope_scaling: {
    rope_type: "llama3",
    factor: 16,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  } as unknown,
};

const { rope_theta, rope_scaling, no_rope_layer_interval: _, interleave_moe_layer_step: __, ...common } = releasedStyle;

/** The same model as transformers 5 writes it: everything named. */
export const transformersStyle = {
  ...common,
  no_rope_layers: [1, 1, 1, 0],
  layer_types: ["chunked_attention", "chunked_attention", "chunked_attention", "full_attention"],
  moe_layers: [1, 3],
  attn_temperature_tuning: true,
  rope_parameters: { rope_theta, ...(rope_scaling as object) },
};
