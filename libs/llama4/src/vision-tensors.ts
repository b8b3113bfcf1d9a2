import type { VisionShape } from "./model-shape.ts";
import { type PlainFormat, plainTensor } from "./stored-format.ts";
import type { TensorShape } from "./tensor-shape.ts";

const CHANNELS = 3;

/**
 * Every tensor of Llama 4's vision encoder, adapter and projector, from config.json's numbers alone. They are never quantized.
 * Source: transformers, modeling_llama4.py.
 */
export function visionTensors(vision: VisionShape, format: PlainFormat): TensorShape[] {
  const { hiddenSize: h, mlpWidth, adapterWidth, outputWidth, textHiddenSize } = vision;
  const tensor = (name: string, shape: readonly number[]) => plainTensor(name, shape, format);
  const biased = (name: string, shape: readonly [number, ...number[]]) => [
    tensor(`${name}.weight`, shape),
    tensor(`${name}.bias`, [shape[0]]),
  ];
  const layer = (index: number): TensorShape[] => {
    const path = `vision_model.model.layers.${index}`;
    return [
      ...biased(`${path}.input_layernorm`, [h]),
      ...["q_proj", "k_proj", "v_proj", "o_proj"].flatMap((part) => biased(`${path}.self_attn.${part}`, [h, h])),
      ...biased(`${path}.post_attention_layernorm`, [h]),
      ...biased(`${path}.mlp.fc1`, [mlpWidth, h]),
      ...biased(`${path}.mlp.fc2`, [h, mlpWidth]),
    ];
  };
  return [
    tensor("vision_model.patch_embedding.linear.weight", [h, CHANNELS * vision.patchSize ** 2]),
    tensor("vision_model.class_embedding", [h]),
    tensor("vision_model.positional_embedding_vlm", [vision.gridSize ** 2 + 1, h]),
    ...biased("vision_model.layernorm_pre", [h]),
    ...biased("vision_model.layernorm_post", [h]),
    ...Array.from({ length: vision.layerCount }, (_, index) => layer(index)).flat(),
    tensor("vision_model.vision_adapter.mlp.fc1.weight", [adapterWidth, mlpWidth]),
    tensor("vision_model.vision_adapter.mlp.fc2.weight", [outputWidth, adapterWidth]),
    tensor("multi_modal_projector.linear_1.weight", [textHiddenSize, outputWidth]),
    ...(vision.hasProjectorBias ? [tensor("multi_modal_projector.linear_1.bias", [textHiddenSize])] : []),
  ];
}
