import { f32Tensor, type TestTensor } from "./write-safetensors.ts";

/** An encoder of 4 x 4 patches of 2 x 2 pixels and two layers; its features are 8 wide, as the tiny text models are. */
export const tinyVisionConfig = {
  hidden_act: "gelu",
  hidden_size: 16,
  image_size: 8,
  intermediate_size: 64,
  norm_eps: 1e-5,
  num_attention_heads: 2,
  num_channels: 3,
  num_hidden_layers: 2,
  patch_size: 2,
  pixel_shuffle_ratio: 0.5,
  projector_input_dim: 12,
  projector_output_dim: 12,
  rope_theta: 10_000,
  vision_output_dim: 12,
};

/** All of its tensors in f32, with values that differ from place to place. */
export function tinyVisionTensors(): Record<string, TestTensor> {
  const shapes: Record<string, number[]> = {
    "vision_model.patch_embedding.linear.weight": [16, 12],
    "vision_model.class_embedding": [16],
    "vision_model.positional_embedding_vlm": [17, 16],
    "vision_model.vision_adapter.mlp.fc1.weight": [12, 64],
    "vision_model.vision_adapter.mlp.fc2.weight": [12, 12],
    "multi_modal_projector.linear_1.weight": [8, 12],
    ...norm("vision_model.layernorm_pre"),
    ...norm("vision_model.layernorm_post"),
  };
  for (const layer of [0, 1]) {
    const name = `vision_model.model.layers.${layer}`;
    Object.assign(shapes, norm(`${name}.input_layernorm`), norm(`${name}.post_attention_layernorm`));
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"])
      Object.assign(shapes, linear(`${name}.self_attn.${part}`, 16, 16));
    Object.assign(shapes, linear(`${name}.mlp.fc1`, 64, 16), linear(`${name}.mlp.fc2`, 16, 64));
  }
  let serial = 0;
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.sin(serial++ * 1.7) / 2);
      return [name, f32Tensor(shape, values)];
    }),
  );
}

function norm(name: string): Record<string, number[]> {
  return { [`${name}.weight`]: [16], [`${name}.bias`]: [16] };
}

function linear(name: string, outSize: number, inSize: number): Record<string, number[]> {
  return { [`${name}.weight`]: [outSize, inSize], [`${name}.bias`]: [outSize] };
}
