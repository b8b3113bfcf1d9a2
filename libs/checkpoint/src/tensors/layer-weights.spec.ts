import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { releasedStyle } from "../testing/configs.ts";
import {
  bf16Tensor,
  f32Tensor,
  safetensorsBytes,
  type TestTensor,
  temporaryFolder,
} from "../testing/write-safetensors.ts";
import { LayerWeights } from "./layer-weights.ts";
import type { Quantization } from "./quantization.ts";
import { quantizeLinear } from "./quantize.ts";
import { TextWeights } from "./text-weights.ts";

const {
  hidden_size: D,
  intermediate_size: F,
  intermediate_size_mlp: W,
  num_local_experts: E,
  vocab_size: V,
} = releasedStyle;
const [Q, K] = [16, 8];

/** Whole numbers from -7 to 7, and their float8_e4m3fn bytes. */
const numbers = (count: number, seed: number) => Array.from({ length: count }, (_, i) => ((i * 7 + seed * 3) % 15) - 7);
const F8 = [0, 0x38, 0x40, 0x44, 0x48, 0x4a, 0x4c, 0x4e];
const f8 = (shape: number[], values: readonly number[]): TestTensor => ({
  dtype: "F8_E4M3",
  shape,
  data: Uint8Array.from(values, (value) => (F8[Math.abs(value)] ?? 0) | (value < 0 ? 0x80 : 0)),
});

/** A Linear's module name, its shape, and what the model computes with, [out, in]. */
type Written = { tensors: Record<string, TestTensor>; weights: Map<string, number[]> };

/** bf16: as it is; channel: compressed-tensors, a scale an output; tensor: one scale for all. */
function addLinear(to: Written, name: string, [out, inSize]: [number, number], format: "bf16" | "channel" | "tensor") {
  const values = numbers(out * inSize, to.weights.size);
  const scales = format === "channel" ? Array.from({ length: out }, (_, i) => 0.5 + i) : [0.25];
  to.tensors[`${name}.weight`] = format === "bf16" ? bf16Tensor([out, inSize], values) : f8([out, inSize], values);
  if (format === "channel") to.tensors[`${name}.weight_scale`] = bf16Tensor([out, 1], scales);
  if (format === "tensor") to.tensors[`${name}.weight_scale`] = f32Tensor([1], scales);
  const scaleOf = (at: number) =>
    format === "bf16" ? 1 : (scales[format === "tensor" ? 0 : Math.floor(at / inSize)] ?? 0);
  to.weights.set(
    name,
    values.map((value, at) => value * scaleOf(at)),
  );
}

/** Fused experts as released: [E, in, out], in bf16 or with fbgemm's scales, an output each. */
function addFused(to: Written, experts: string, format: "bf16" | "fp8") {
  for (const [name, inSize, out] of [
    ["gate_up_proj", D, 2 * F],
    ["down_proj", F, D],
  ] as const) {
    const values = numbers(E * inSize * out, to.weights.size);
    const scales = Array.from({ length: E * out }, (_, i) => 0.5 + i);
    const shape = [E, inSize, out];
    to.tensors[`${experts}.${name}`] = format === "fp8" ? f8(shape, values) : bf16Tensor(shape, values);
    const scaleShape = name === "down_proj" ? [E, out, 1] : [E, 1, out];
    if (format === "fp8") to.tensors[`${experts}.${name}_scale`] = f32Tensor(scaleShape, scales);
    for (let e = 0; e < E; e++) {
      const weight = Array.from({ length: out * inSize }, (_, at) => {
        const [row, column] = [Math.floor(at / inSize), at % inSize];
        return (values[(e * inSize + column) * out + row] ?? 0) * (format === "fp8" ? (scales[e * out + row] ?? 0) : 1);
      });
      to.weights.set(`${experts}.${e}.${name}`, weight);
    }
  }
}

/** A text-only checkpoint with a tied head whose first and last layers are bf16, with FP8 between: one tensor an expert in layer 1, fused in layer 3. */
function mixed(): Written {
  const to: Written = { tensors: {}, weights: new Map() };
  const embedding = numbers(V * D, 5);
  to.tensors["model.embed_tokens.weight"] = bf16Tensor([V, D], embedding);
  to.weights.set("lm_head", embedding);
  to.tensors["model.norm.weight"] = f32Tensor([D], numbers(D, 1));
  for (let layer = 0; layer < 6; layer++) {
    const format = layer === 0 || layer === 5 ? "bf16" : layer === 2 ? "tensor" : "channel";
    const at = `model.layers.${layer}`;
    for (const norm of ["input_layernorm", "post_attention_layernorm"])
      to.tensors[`${at}.${norm}.weight`] = bf16Tensor([D], numbers(D, layer));
    for (const [name, shape] of [
      ["q_proj", [Q, D]],
      ["k_proj", [K, D]],
      ["v_proj", [K, D]],
      ["o_proj", [D, Q]],
    ] as const)
      addLinear(to, `${at}.self_attn.${name}`, [...shape], format);
    const mlp = (prefix: string, width: number, of: typeof format) => {
      addLinear(to, `${prefix}.gate_proj`, [width, D], of);
      addLinear(to, `${prefix}.up_proj`, [width, D], of);
      addLinear(to, `${prefix}.down_proj`, [D, width], of);
    };
    if (layer % 2 === 0) {
      mlp(`${at}.feed_forward`, W, format);
      continue;
    }
    addLinear(to, `${at}.feed_forward.router`, [E, D], "bf16");
    mlp(`${at}.feed_forward.shared_expert`, F, format);
    const experts = `${at}.feed_forward.experts`;
    if (layer !== 1) addFused(to, experts, layer === 3 ? "fp8" : "bf16");
    else for (let e = 0; e < E; e++) mlp(`${experts}.${e}`, F, e === 1 ? "bf16" : format);
  }
  return to;
}

const int4: Quantization = { bits: 4, blockSize: 32 };

test.each([null, int4, { bits: 8, blockSize: 128 } as const])(
  "a checkpoint that mixes formats by layer and by expert is dequantized first, then quantized as %o says",
  async (quantization) => {
    const { tensors, weights } = mixed();
    const config = { ...releasedStyle, num_hidden_layers: 6, tie_word_embeddings: true };
    await using folder = await temporaryFolder({
      "config.json": JSON.stringify(config),
      "model.safetensors": safetensorsBytes(tensors),
    });
    await using checkpoint = await openCheckpoint(folder.path);
    const model = await loadModelConfig(folder.path);
    const served = new LayerWeights(new TextWeights(checkpoint, model), quantization);
    const weight = (...names: string[]) => Float32Array.from(names.flatMap((name) => weights.get(name) ?? []));
    const plain = (...names: string[]) => ({ kind: "f32", data: weight(...names) });
    const expected = (inSize: number, ...names: string[]) => {
      const data = weight(...names);
      expect(data.length).toBeGreaterThan(0);
      return quantization === null ? plain(...names) : quantizeLinear(data, data.length / inSize, inSize, quantization);
    };
    const block = (prefix: string, width: number) => ({
      gateUp: expected(D, `${prefix}.gate_proj`, `${prefix}.up_proj`),
      down: expected(width, `${prefix}.down_proj`),
    });
    for (let layer = 0; layer < 6; layer++) {
      const [attention, feedForward] = [`model.layers.${layer}.self_attn`, `model.layers.${layer}.feed_forward`];
      expect(await served.attention(layer)).toEqual({
        norm: Float32Array.from(numbers(D, layer)),
        qkv: expected(D, ...["q_proj", "k_proj", "v_proj"].map((name) => `${attention}.${name}`)),
      });
      expect(await served.output(layer)).toEqual(expected(Q, `${attention}.o_proj`));
      if (layer % 2 === 0) {
        expect(await served.dense(layer)).toEqual(block(feedForward, W));
        continue;
      }
      expect(await served.gate(layer)).toEqual(plain(`${feedForward}.router`));
      expect(await served.shared(layer)).toEqual(block(`${feedForward}.shared_expert`, F));
      for (let e = 0; e < E; e++) {
        const expert = `${feedForward}.experts.${e}`;
        const fused = { gateUp: [`${expert}.gate_up_proj`], down: `${expert}.down_proj` };
        const found = await served.expert(layer, e);
        if (layer === 1) expect(found).toEqual(block(expert, F));
        else expect(found).toEqual({ gateUp: expected(D, ...fused.gateUp), down: expected(F, fused.down) });
      }
    }
    const head = quantizeLinear(weight("lm_head"), V, D, { bits: 8, blockSize: 128 });
    expect(await served.head()).toEqual(quantization === null ? plain("lm_head") : head);
  },
);
