import type { ModelShape } from "./model-shape.ts";
import { elementCount, type TensorShape } from "./tensor-shape.ts";

/** How a Linear's numbers are stored: one scale an output where it is FP8. */
export type StoredFormat =
  | Readonly<{ kind: "plain"; dtype: string; elementBytes: number }>
  | Readonly<{ kind: "fp8"; scaleDtype: string; scaleBytes: number }>;

/** How a checkpoint stores its tensors, by the name of the module. */
export type StoredFormats = Readonly<{
  /** What is no Linear: norms, embeddings. */
  plain: Extract<StoredFormat, { kind: "plain" }>;
  /** The format of the Linear at this path, such as `language_model.lm_head`; fused experts are `...feed_forward.experts`. */
  linear: (path: string) => StoredFormat;
  /** Whether a layer's experts are two tensors for all of them, or three Linears each. */
  fusedExperts: boolean;
}>;

const PREFIX = "language_model.";

/** Every tensor of a Llama 4 text model in file order, from config.json's numbers alone. Source: transformers, modeling_llama4.py. */
export function textTensors(model: ModelShape, formats: StoredFormats): TensorShape[] {
  const { hiddenSize: d, vocabSize, expertWidth, denseWidth, expertCount } = model;
  const query = model.headCount * model.headDim;
  const key = model.kvHeadCount * model.headDim;
  const out: TensorShape[] = [plainTensor(`${PREFIX}model.embed_tokens.weight`, [vocabSize, d], formats.plain)];
  const linear = (path: string, outSize: number, inSize: number) => {
    out.push(...linearTensors(path, outSize, inSize, formats.linear(path)));
  };
  const mlp = (path: string, width: number) => {
    linear(`${path}.gate_proj`, width, d);
    linear(`${path}.up_proj`, width, d);
    linear(`${path}.down_proj`, d, width);
  };
  for (let layer = 0; layer < model.layerCount; layer++) {
    const path = `${PREFIX}model.layers.${layer}`;
    for (const norm of ["input_layernorm", "post_attention_layernorm"])
      out.push(plainTensor(`${path}.${norm}.weight`, [d], formats.plain));
    linear(`${path}.self_attn.q_proj`, query, d);
    linear(`${path}.self_attn.k_proj`, key, d);
    linear(`${path}.self_attn.v_proj`, key, d);
    linear(`${path}.self_attn.o_proj`, d, query);
    const ffn = `${path}.feed_forward`;
    if (!model.moeLayers.includes(layer)) {
      mlp(ffn, denseWidth);
      continue;
    }
    linear(`${ffn}.router`, expertCount, d);
    mlp(`${ffn}.shared_expert`, expertWidth);
    if (formats.fusedExperts) out.push(...fusedExperts(`${ffn}.experts`, model, formats.linear(`${ffn}.experts`)));
    else for (let e = 0; e < expertCount; e++) mlp(`${ffn}.experts.${e}`, expertWidth);
  }
  out.push(plainTensor(`${PREFIX}model.norm.weight`, [d], formats.plain));
  if (!model.tieWordEmbeddings) linear(`${PREFIX}lm_head`, vocabSize, d);
  return out;
}

/** Fused experts are [E, in, out]; the scales of `down_proj` have its output as their second dimension. */
function fusedExperts(path: string, model: ModelShape, format: StoredFormat): TensorShape[] {
  const { hiddenSize: d, expertWidth: f, expertCount } = model;
  const gateUp = [expertCount, d, 2 * f];
  const down = [expertCount, f, d];
  if (format.kind === "plain")
    return [plainTensor(`${path}.gate_up_proj`, gateUp, format), plainTensor(`${path}.down_proj`, down, format)];
  return [
    fp8Tensor(`${path}.gate_up_proj`, gateUp),
    scaleTensor(`${path}.gate_up_proj_scale`, [expertCount, 1, 2 * f], format),
    fp8Tensor(`${path}.down_proj`, down),
    scaleTensor(`${path}.down_proj_scale`, [expertCount, d, 1], format),
  ];
}

function linearTensors(path: string, outSize: number, inSize: number, format: StoredFormat): TensorShape[] {
  if (format.kind === "plain") return [plainTensor(`${path}.weight`, [outSize, inSize], format)];
  return [fp8Tensor(`${path}.weight`, [outSize, inSize]), scaleTensor(`${path}.weight_scale`, [outSize, 1], format)];
}

export function plainTensor(
  name: string,
  shape: readonly number[],
  { dtype, elementBytes }: StoredFormats["plain"],
): TensorShape {
  return { name, dtype, shape, byteCount: elementCount(shape) * elementBytes };
}

function fp8Tensor(name: string, shape: readonly number[]): TensorShape {
  return { name, dtype: "F8_E4M3", shape, byteCount: elementCount(shape) };
}

function scaleTensor(
  name: string,
  shape: readonly number[],
  { scaleDtype, scaleBytes }: Extract<StoredFormat, { kind: "fp8" }>,
): TensorShape {
  return { name, dtype: scaleDtype, shape, byteCount: elementCount(shape) * scaleBytes };
}
