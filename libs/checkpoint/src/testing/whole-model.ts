import { releasedStyle } from "./configs.ts";
import { bf16Tensor, type TestTensor } from "./write-safetensors.ts";

/** Every tensor of the small text model of {@link releasedStyle}, with fused experts, and one of a vision encoder; `seed` changes all numbers. */
export function wholeModel(seed = 0): Record<string, TestTensor> {
  const { hidden_size: d, intermediate_size: f, intermediate_size_mlp: dense, vocab_size: v } = releasedStyle;
  const queryWidth = releasedStyle.num_attention_heads * releasedStyle.head_dim;
  const keyWidth = releasedStyle.num_key_value_heads * releasedStyle.head_dim;
  const expertCount = releasedStyle.num_local_experts;
  const tensors: Record<string, TestTensor> = {};
  const add = (name: string, ...shape: number[]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const first = Object.keys(tensors).length + seed;
    tensors[name] = bf16Tensor(
      shape,
      Array.from({ length }, (_, i) => (((first * 31 + i * 7) % 29) - 14) / 16),
    );
  };
  const mlp = (prefix: string, width: number) => {
    add(`${prefix}.gate_proj.weight`, width, d);
    add(`${prefix}.up_proj.weight`, width, d);
    add(`${prefix}.down_proj.weight`, d, width);
  };
  add("language_model.model.embed_tokens.weight", v, d);
  for (let layer = 0; layer < releasedStyle.num_hidden_layers; layer++) {
    const prefix = `language_model.model.layers.${layer}`;
    add(`${prefix}.input_layernorm.weight`, d);
    add(`${prefix}.post_attention_layernorm.weight`, d);
    add(`${prefix}.self_attn.q_proj.weight`, queryWidth, d);
    add(`${prefix}.self_attn.k_proj.weight`, keyWidth, d);
    add(`${prefix}.self_attn.v_proj.weight`, keyWidth, d);
    add(`${prefix}.self_attn.o_proj.weight`, d, queryWidth);
    if (layer % 2 === 0) mlp(`${prefix}.feed_forward`, dense);
    else {
      add(`${prefix}.feed_forward.router.weight`, expertCount, d);
      mlp(`${prefix}.feed_forward.shared_expert`, f);
      add(`${prefix}.feed_forward.experts.gate_up_proj`, expertCount, d, 2 * f);
      add(`${prefix}.feed_forward.experts.down_proj`, expertCount, f, d);
    }
  }
  add("language_model.model.norm.weight", d);
  add("language_model.lm_head.weight", v, d);
  add("vision_model.class_embedding", d);
  return tensors;
}
