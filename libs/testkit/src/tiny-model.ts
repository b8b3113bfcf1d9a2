import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@drover/core";

/** Sizes of the model: two dense layers and two with experts, the last one global, as small as kernels and chunks allow. */
const CONFIG = {
  model_type: "llama4_text",
  vocab_size: 96,
  hidden_size: 32,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  intermediate_size: 24,
  intermediate_size_mlp: 40,
  num_local_experts: 4,
  num_experts_per_tok: 1,
  interleave_moe_layer_step: 2,
  no_rope_layer_interval: 4,
  attention_chunk_size: 32,
  attn_temperature_tuning: true,
  attn_scale: 0.1,
  floor_scale: 16,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  use_qk_norm: true,
  rope_theta: 10_000,
};

type Tensor = Readonly<{ name: string; shape: readonly number[]; values: Float32Array }>;

/**
 * A folder with a checkpoint of random weights in bf16, some 60 KB: a text model with every kind of layer, without a tokenizer. It disappears with its
 * scope. `seed` chooses the weights.
 */
export async function tinyModel(seed: number): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "drover-tiny-model-"));
  await writeFile(join(path, "config.json"), JSON.stringify(CONFIG));
  await writeFile(join(path, "model.safetensors"), safetensors(tensors(seed)));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function tensors(seed: number): readonly Tensor[] {
  const { hidden_size: d, vocab_size: v, head_dim: head, intermediate_size: f, num_local_experts: e } = CONFIG;
  const random = seededRandom(seed);
  const made: Tensor[] = [];
  const add = (name: string, spread: number, mean: number, ...shape: readonly number[]) => {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) values[i] = mean + spread * (2 * random() - 1);
    made.push({ name: `language_model.${name}`, shape, values });
  };
  const linear = (name: string, out: number, inputs: number) =>
    add(`${name}.weight`, 2 / Math.sqrt(inputs), 0, out, inputs);
  const norm = (name: string) => add(`${name}.weight`, 0.25, 1, d);
  const mlp = (name: string, width: number) => {
    linear(`${name}.gate_proj`, width, d);
    linear(`${name}.up_proj`, width, d);
    linear(`${name}.down_proj`, d, width);
  };
  add("model.embed_tokens.weight", 1, 0, v, d);
  for (let layer = 0; layer < CONFIG.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`;
    norm(`${path}.input_layernorm`);
    norm(`${path}.post_attention_layernorm`);
    linear(`${path}.self_attn.q_proj`, CONFIG.num_attention_heads * head, d);
    for (const each of ["k_proj", "v_proj"]) linear(`${path}.self_attn.${each}`, CONFIG.num_key_value_heads * head, d);
    linear(`${path}.self_attn.o_proj`, d, CONFIG.num_attention_heads * head);
    if (layer % CONFIG.interleave_moe_layer_step === 0) {
      mlp(`${path}.feed_forward`, CONFIG.intermediate_size_mlp);
      continue;
    }
    linear(`${path}.feed_forward.router`, e, d);
    mlp(`${path}.feed_forward.shared_expert`, f);
    add(`${path}.feed_forward.experts.gate_up_proj`, 2 / Math.sqrt(d), 0, e, d, 2 * f);
    add(`${path}.feed_forward.experts.down_proj`, 2 / Math.sqrt(f), 0, e, f, d);
  }
  norm("model.norm");
  linear("lm_head", v, d);
  return made;
}

/** The tensors as a file, rounded to bf16 by cutting. */
function safetensors(list: readonly Tensor[]): Buffer {
  let end = 0;
  const header: Record<string, unknown> = {};
  const data = list.map(({ name, shape, values }) => {
    const words = new Uint32Array(values.buffer);
    const bytes = new Uint8Array(Uint16Array.from(words, (word) => word >>> 16).buffer);
    header[name] = { dtype: "BF16", shape, data_offsets: [end, end + bytes.byteLength] };
    end += bytes.byteLength;
    return bytes;
  });
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}
