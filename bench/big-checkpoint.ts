import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Maverick's true widths: one dense layer and one MoE layer, as many experts as asked for, in bf16, a shard for each part as released checkpoints have. */
const D = 5120;
const F = 8192;
const DENSE = 16_384;
const VOCAB = 202_048;

type Shard = Readonly<{ file: string; tensors: Readonly<Record<string, readonly number[]>> }>;

/** Writes it and returns its bytes. The numbers repeat after 61 MiB, so that no two experts are alike and writing is bound by the disk. */
export async function writeBigCheckpoint(folder: string, expertCount: number): Promise<number> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config(expertCount), null, 2));
  const noise = noiseBytes(61 * 2 ** 20);
  const weightMap: Record<string, string> = {};
  let total = 0;
  for (const { file, tensors } of shards(expertCount)) {
    for (const name of Object.keys(tensors)) weightMap[name] = file;
    total += await writeShard(join(folder, file), tensors, noise, total);
  }
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  return total;
}

function shards(expertCount: number): Shard[] {
  const layer = (index: number) => `language_model.model.layers.${index}`;
  const attention = (index: number) => ({
    [`${layer(index)}.input_layernorm.weight`]: [D],
    [`${layer(index)}.post_attention_layernorm.weight`]: [D],
    [`${layer(index)}.self_attn.q_proj.weight`]: [D, D],
    [`${layer(index)}.self_attn.k_proj.weight`]: [1024, D],
    [`${layer(index)}.self_attn.v_proj.weight`]: [1024, D],
    [`${layer(index)}.self_attn.o_proj.weight`]: [D, D],
  });
  const mlp = (prefix: string, width: number) => ({
    [`${prefix}.gate_proj.weight`]: [width, D],
    [`${prefix}.up_proj.weight`]: [width, D],
    [`${prefix}.down_proj.weight`]: [D, width],
  });
  const tensors = [
    { "language_model.model.embed_tokens.weight": [VOCAB, D] },
    { ...attention(0), ...mlp(`${layer(0)}.feed_forward`, DENSE) },
    {
      ...attention(1),
      [`${layer(1)}.feed_forward.router.weight`]: [expertCount, D],
      ...mlp(`${layer(1)}.feed_forward.shared_expert`, F),
    },
    { [`${layer(1)}.feed_forward.experts.gate_up_proj`]: [expertCount, D, 2 * F] },
    { [`${layer(1)}.feed_forward.experts.down_proj`]: [expertCount, F, D] },
    { "language_model.model.norm.weight": [D], "language_model.lm_head.weight": [VOCAB, D] },
  ];
  const count = String(tensors.length).padStart(5, "0");
  return tensors.map((shard, i) => ({
    file: `model-${String(i + 1).padStart(5, "0")}-of-${count}.safetensors`,
    tensors: shard,
  }));
}

async function writeShard(path: string, tensors: Shard["tensors"], noise: Uint8Array, seed: number): Promise<number> {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await using file = await open(path, "w");
  await file.write(Buffer.concat([length, header]));
  for (let done = 0; done < end; ) {
    const from = (seed + done) % noise.length;
    const piece = noise.subarray(from, from + Math.min(noise.length - from, end - done));
    await file.write(piece);
    done += piece.length;
  }
  return 8 + header.length + end;
}

/** Weights between -1/16 and 1/16 as bf16. */
function noiseBytes(byteCount: number): Uint8Array {
  const words = new Uint16Array(byteCount / 2);
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    value[0] = (state / 2 ** 31 - 1) / 16;
    words[i] = (bits[0] ?? 0) >>> 16;
  }
  return new Uint8Array(words.buffer);
}

function config(expertCount: number) {
  return {
    model_type: "llama4_text",
    vocab_size: VOCAB,
    hidden_size: D,
    num_hidden_layers: 2,
    num_attention_heads: 40,
    num_key_value_heads: 8,
    head_dim: 128,
    intermediate_size: F,
    intermediate_size_mlp: DENSE,
    num_local_experts: expertCount,
    num_experts_per_tok: 1,
    interleave_moe_layer_step: 2,
    attention_chunk_size: 8192,
    max_position_embeddings: 1_048_576,
    rms_norm_eps: 1e-5,
    use_qk_norm: false,
    rope_theta: 500_000,
    rope_scaling: null,
  };
}
