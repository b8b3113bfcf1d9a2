/** What a tensor is for. `norm` covers the text model's norms, `vision` the encoder, its adapter and the projector. */
export const WEIGHT_KINDS = [
  "embedding",
  "attention",
  "norm",
  "router",
  "dense",
  "shared",
  "routed",
  "head",
  "vision",
  "other",
] as const;
export type WeightKind = (typeof WEIGHT_KINDS)[number];

/** A tensor's purpose, its layer (-1 outside the text model's layers), and whether it only says how another tensor's numbers are to be read. */
export type TensorPurpose = Readonly<{ kind: WeightKind; layer: number; isScale: boolean }>;

const LAYER = /^model\.layers\.(\d+)\.(.+)$/;

/** By path below a layer, first match first. */
const LAYER_KINDS: readonly (readonly [RegExp, WeightKind])[] = [
  [/^self_attn\./, "attention"],
  [/^(input|post_attention)_layernorm\./, "norm"],
  [/^feed_forward\.router\./, "router"],
  [/^feed_forward\.experts\./, "routed"],
  [/^feed_forward\.shared_expert\./, "shared"],
  [/^feed_forward\.(gate|up|down)_proj\./, "dense"],
];

/** Scales and zero points of weights, inputs and the KV cache, the order of inputs, and the shape that packing hides. */
const BESIDE_WEIGHTS = /(_scales?(_inv|_ub|_2)?|_zero_point|_g_idx|\.weight_shape|\.[kqv]_scale)$/;

const OTHER = [/./, "other"] as const;

/** Reads a tensor's purpose out of its name, with or without the `language_model.` prefix. A name that is no Llama 4 checkpoint's is `other`. */
export function tensorPurpose(name: string): TensorPurpose {
  const isScale = BESIDE_WEIGHTS.test(name);
  if (/^(vision_model|multi_modal_projector)\./.test(name)) return { kind: "vision", layer: -1, isScale };
  const path = name.replace(/^language_model\./, "");
  const [, layer, rest] = LAYER.exec(path) ?? [];
  if (layer !== undefined && rest !== undefined) {
    const [, kind] = LAYER_KINDS.find(([pattern]) => pattern.test(rest)) ?? OTHER;
    return { kind, layer: kind === "other" ? -1 : Number(layer), isScale };
  }
  if (path.startsWith("model.embed_tokens.")) return { kind: "embedding", layer: -1, isScale };
  if (path.startsWith("model.norm.")) return { kind: "norm", layer: -1, isScale };
  if (path.startsWith("lm_head.")) return { kind: "head", layer: -1, isScale };
  return { kind: "other", layer: -1, isScale };
}
