import {
  codes,
  nvfp4,
  packQuantized,
  scaled,
  type WrittenLinear,
} from "../../libs/checkpoint/src/testing/stored-forms.ts";
import {
  f32Tensor,
  safetensorsBytes,
  type TestTensor,
  temporaryFolder,
} from "../../libs/checkpoint/src/testing/write-safetensors.ts";

const [D, F, DENSE, EXPERTS, VOCABULARY, HEADS, KV_HEADS, HEAD] = [64, 32, 96, 4, 96, 4, 2, 16];

/** Two dense layers and two with experts, the last one global; every width divides by the groups of all forms. */
const CONFIG = {
  model_type: "llama4",
  text_config: {
    model_type: "llama4_text",
    vocab_size: VOCABULARY,
    hidden_size: D,
    num_hidden_layers: 4,
    num_attention_heads: HEADS,
    num_key_value_heads: KV_HEADS,
    head_dim: HEAD,
    intermediate_size: F,
    intermediate_size_mlp: DENSE,
    num_local_experts: EXPERTS,
    num_experts_per_tok: 1,
    interleave_moe_layer_step: 2,
    no_rope_layer_interval: 4,
    attention_chunk_size: 32,
    max_position_embeddings: 4096,
    rope_theta: 10_000,
  },
};

/** How a tool stores a model: what it says in config.json, how it writes a Linear, and whether it leaves experts fused. */
export type ModelForm = Readonly<{
  quantization: object;
  linear: (outSize: number, inSize: number, seed: number) => WrittenLinear;
  fused: boolean;
}>;

const compressed = (format: string, weights: object) => ({
  quant_method: "compressed-tensors",
  format,
  config_groups: { group_0: { targets: ["Linear"], weights } },
  ignore: ["language_model.lm_head", "re:.*router"],
});

/** Makes weights of FP8, whose numbers go up to 448, as large as the others. */
const FP8_SCALE = 1 / 1024;

/** As llm-compressor, ModelOpt and transformers write Llama 4: each form of the table in docs/checkpoints.md that is no plain number. */
export const MODEL_FORMS = {
  "w4a16 by compressed-tensors": {
    quantization: compressed("pack-quantized", { num_bits: 4, type: "int", strategy: "group", group_size: 32 }),
    linear: (outSize, inSize, seed) =>
      packQuantized(
        outSize,
        inSize,
        { bits: 4, groupSize: 32, isAsymmetric: seed % 2 === 0, isReordered: seed % 3 === 0 },
        seed,
      ),
    fused: false,
  },
  "w8a8 by compressed-tensors": {
    quantization: compressed("int-quantized", { num_bits: 8, type: "int", strategy: "channel" }),
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "int8", strategy: "channel", size: 1 / 2048 }, seed),
    fused: false,
  },
  "w8a16 by compressed-tensors": {
    quantization: compressed("pack-quantized", { num_bits: 8, type: "int", strategy: "channel" }),
    linear: (outSize, inSize, seed) =>
      packQuantized(outSize, inSize, { bits: 8, groupSize: 0, isAsymmetric: false, isReordered: false }, seed),
    fused: false,
  },
  "w8a8 by ModelOpt": {
    quantization: { quant_method: "modelopt", quant_algo: "W8A8_SQ_PER_CHANNEL" },
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "int8", strategy: "channel", size: 1 / 2048 }, seed),
    fused: false,
  },
  "FP8 with a scale an output, by compressed-tensors": {
    quantization: compressed("float-quantized", { num_bits: 8, type: "float", strategy: "channel" }),
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "fp8", strategy: "channel", size: FP8_SCALE }, seed),
    fused: false,
  },
  "FP8 with a scale a tensor, by ModelOpt": {
    quantization: { quant_method: "modelopt", quant_algo: "FP8" },
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "fp8", strategy: "tensor", size: FP8_SCALE }, seed),
    fused: false,
  },
  "FP8 with a scale a block, by compressed-tensors": {
    quantization: compressed("float-quantized", {
      num_bits: 8,
      type: "float",
      strategy: "block",
      block_structure: [32, 32],
    }),
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "fp8", strategy: "block", block: [32, 32], size: FP8_SCALE }, seed),
    fused: false,
  },
  "FP8 with a scale a block, by transformers": {
    quantization: { quant_method: "fp8", weight_block_size: [16, 32] },
    linear: (outSize, inSize, seed) =>
      scaled(
        outSize,
        inSize,
        { numbers: "fp8", strategy: "block", block: [16, 32], scaleName: "weight_scale_inv", size: FP8_SCALE },
        seed,
      ),
    fused: false,
  },
  "FP8 with a scale a block, by ModelOpt": {
    quantization: { quant_method: "modelopt", quant_algo: "FP8_PB_WO" },
    linear: (outSize, inSize, seed) =>
      scaled(outSize, inSize, { numbers: "fp8", strategy: "block", size: FP8_SCALE }, seed),
    fused: false,
  },
  "NVFP4 of weights alone, by ModelOpt": {
    quantization: { quant_method: "modelopt", quant_algo: "W4A16_NVFP4" },
    linear: (outSize, inSize, seed) => nvfp4(outSize, inSize, "modelopt", seed),
    fused: false,
  },
  "NVFP4 by compressed-tensors": {
    quantization: compressed("nvfp4-pack-quantized", {
      num_bits: 4,
      type: "float",
      strategy: "tensor_group",
      group_size: 16,
    }),
    linear: (outSize, inSize, seed) => nvfp4(outSize, inSize, "compressed-tensors", seed),
    fused: false,
  },
  "NVFP4 by ModelOpt": {
    quantization: { quant_method: "modelopt", quant_algo: "NVFP4" },
    linear: (outSize, inSize, seed) => nvfp4(outSize, inSize, "modelopt", seed),
    fused: true,
  },
} as const satisfies Record<string, ModelForm>;

/** A model in some form, and its twin of the same weights in f32: two folders that disappear with their scope. */
export async function storedModel(form: ModelForm): Promise<AsyncDisposable & { stored: string; twin: string }> {
  const tensors: Record<string, TestTensor> = {};
  const twin: Record<string, TestTensor> = {};
  let serial = 1;
  const plain = (name: string, mean: number, ...shape: number[]) => {
    const values = codes(
      shape.reduce((a, b) => a * b, 1),
      1001,
      serial++,
    ).map((code) => mean + (code - 500) / 2500);
    tensors[name] = f32Tensor(shape, values);
    twin[name] = f32Tensor(shape, values);
  };
  const linear = (path: string, outSize: number, inSize: number) => {
    const written = form.linear(outSize, inSize, serial++);
    for (const [name, tensor] of Object.entries(written.tensors)) tensors[`${path}.${name}`] = tensor;
    twin[`${path}.weight`] = f32Tensor([outSize, inSize], written.weight);
  };
  const mlp = (path: string, width: number) => {
    linear(`${path}.gate_proj`, width, D);
    linear(`${path}.up_proj`, width, D);
    linear(`${path}.down_proj`, D, width);
  };
  plain("language_model.model.embed_tokens.weight", 0, VOCABULARY, D);
  for (let layer = 0; layer < CONFIG.text_config.num_hidden_layers; layer++) {
    const path = `language_model.model.layers.${layer}`;
    for (const norm of ["input_layernorm", "post_attention_layernorm"]) plain(`${path}.${norm}.weight`, 1, D);
    linear(`${path}.self_attn.q_proj`, HEADS * HEAD, D);
    linear(`${path}.self_attn.k_proj`, KV_HEADS * HEAD, D);
    linear(`${path}.self_attn.v_proj`, KV_HEADS * HEAD, D);
    linear(`${path}.self_attn.o_proj`, D, HEADS * HEAD);
    // Scales of a KV cache are no weights, and nobody reads them.
    tensors[`${path}.self_attn.k_proj.k_scale`] = f32Tensor([], [3]);
    if (layer % 2 === 0) {
      mlp(`${path}.feed_forward`, DENSE);
      continue;
    }
    plain(`${path}.feed_forward.router.weight`, 0, EXPERTS, D);
    mlp(`${path}.feed_forward.shared_expert`, F);
    const experts = `${path}.feed_forward.experts`;
    if (form.fused) {
      for (const [name, outSize, inSize] of [
        ["gate_up_proj", 2 * F, D],
        ["down_proj", D, F],
      ] as const) {
        const each = Array.from({ length: EXPERTS }, () => form.linear(outSize, inSize, serial++));
        Object.assign(tensors, fusedNvfp4(`${experts}.${name}`, each));
        twin[`${experts}.${name}`] = f32Tensor(
          [EXPERTS, inSize, outSize],
          turned(
            each.flatMap(({ weight }) => [...weight]),
            outSize,
            inSize,
          ),
        );
      }
    } else for (let e = 0; e < EXPERTS; e++) mlp(`${experts}.${e}`, F);
  }
  plain("language_model.model.norm.weight", 1, D);
  plain("language_model.lm_head.weight", 0, VOCABULARY, D);
  const file = (all: Record<string, TestTensor>, config: object) =>
    temporaryFolder({ "config.json": JSON.stringify(config), "model.safetensors": safetensorsBytes(all) });
  const folders = [
    await file(tensors, { ...CONFIG, quantization_config: form.quantization }),
    await file(twin, CONFIG),
  ] as const;
  return {
    stored: folders[0].path,
    twin: folders[1].path,
    [Symbol.asyncDispose]: async () => {
      for (const folder of folders) await folder[Symbol.asyncDispose]();
    },
  };
}

/** Matrices [E, rows, columns] as [E, columns, rows]. */
function turned(values: readonly number[], rows: number, columns: number): number[] {
  return values.map((_, at) => {
    const [e, column, row] = [Math.floor(at / (rows * columns)), Math.floor(at / rows) % columns, at % rows];
    return values[e * rows * columns + row * columns + column] ?? Number.NaN;
  });
}

/** Experts that were written one by one as ModelOpt fuses them: packed along the inputs, [E, in / 2, out], with a second scale an expert. */
function fusedNvfp4(name: string, experts: readonly WrittenLinear[]): Record<string, TestTensor> {
  const of = (part: string) => experts.map(({ tensors }) => tensors[part]).filter((tensor) => tensor !== undefined);
  const bytes = (part: string) => {
    const list = of(part);
    const [rows = 0, columns = 0] = list[0]?.shape ?? [];
    const data = turned(
      list.flatMap((tensor) => [...tensor.data]),
      rows,
      columns,
    );
    return { dtype: list[0]?.dtype ?? "", shape: [list.length, columns, rows], data: Uint8Array.from(data) };
  };
  const seconds = Uint8Array.from(of("weight_scale_2").flatMap(({ data }) => [...data]));
  return {
    [name]: bytes("weight"),
    [`${name}_weight_scale`]: bytes("weight_scale"),
    [`${name}_weight_scale_2`]: { dtype: "F32", shape: [experts.length], data: seconds },
    [`${name}_input_scale`]: f32Tensor([], [2]),
  };
}
