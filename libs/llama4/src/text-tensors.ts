import type { ModelShape } from "./model-shape.ts";
import { fusedTensors, linearTensors, type PlainFormat, plainTensor, type StoredFormat } from "./stored-format.ts";
import type { TensorShape } from "./tensor-shape.ts";

/** How a checkpoint stores its tensors, by the name of the module. */
export type StoredFormats = Readonly<{
  /** What is no Linear: norms, embeddings. */
  plain: PlainFormat;
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
    if (formats.fusedExperts) {
      const format = formats.linear(`${ffn}.experts`);
      const { plain } = formats;
      out.push(...fusedTensors(`${ffn}.experts.gate_up_proj`, [expertCount, d, 2 * expertWidth], format, plain));
      out.push(...fusedTensors(`${ffn}.experts.down_proj`, [expertCount, expertWidth, d], format, plain));
    } else for (let e = 0; e < expertCount; e++) mlp(`${ffn}.experts.${e}`, expertWidth);
  }
  out.push(plainTensor(`${PREFIX}model.norm.weight`, [d], formats.plain));
  if (!model.tieWordEmbeddings) linear(`${PREFIX}lm_head`, vocabSize, d);
  return out;
}
