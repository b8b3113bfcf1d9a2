import type { FieldReader } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";

/**
 * Layers with experts, ascending: `moe_layers`, or every `interleave_moe_layer_step`-th where it is absent.
 * Errors: `invalid_argument` naming file and field. Source: transformers, configuration_llama4.py.
 */
export function readMoeLayers(text: FieldReader, layerCount: number): readonly number[] {
  const named = text.list("moe_layers");
  if (named === undefined) {
    const step = text.count("interleave_moe_layer_step", 1);
    return Object.freeze(range(layerCount).filter((layer) => (layer + 1) % step === 0));
  }
  const layers = named.map((layer) => {
    if (typeof layer !== "number" || !Number.isInteger(layer) || layer < 0 || layer >= layerCount) {
      return text.fail("moe_layers", `must name layers between 0 and ${layerCount - 1}`);
    }
    return layer;
  });
  if (new Set(layers).size !== layers.length) text.fail("moe_layers", "names a layer twice");
  return Object.freeze(layers.sort((a, b) => a - b));
}

/**
 * For each layer, whether it is global: full attention without RoPE. `no_rope_layers` (1 has RoPE) and `layer_types` say the same thing twice;
 * where both are absent or empty, every `no_rope_layer_interval`-th layer is global. `no_rope_layers` may go on for layers that a shortened model
 * no longer has. `attention_chunk_size` of null gives layers with RoPE all of the context, which is refused as well.
 * Errors: `invalid_argument` naming file and field, also where the two disagree: such a model is not Llama 4's.
 */
export function readGlobalLayers(text: FieldReader, layerCount: number): readonly boolean[] {
  const interval = text.count("no_rope_layer_interval", 4);
  if (text.isNull("attention_chunk_size"))
    text.fail(
      "attention_chunk_size",
      "is null; Drover computes attention of layers with RoPE in chunks: take a model that has them",
    );
  const byRope = perLayer(text, "no_rope_layers", layerCount, true, (flag) => {
    if (flag !== 0 && flag !== 1 && typeof flag !== "boolean") return undefined;
    return Number(flag) === 0;
  });
  const byType = perLayer(text, "layer_types", layerCount, false, (type) => {
    if (type !== "full_attention" && type !== "chunked_attention") return undefined;
    return type === "full_attention";
  });
  const isGlobal = byRope ?? byType ?? range(layerCount).map((layer) => (layer + 1) % interval === 0);
  const disagreeing = byType?.findIndex((global, layer) => global !== isGlobal[layer]) ?? -1;
  if (disagreeing >= 0) text.fail("layer_types", `and no_rope_layers disagree about layer ${disagreeing}`);
  return Object.freeze(isGlobal);
}

function perLayer(
  text: FieldReader,
  field: string,
  layerCount: number,
  mayGoOn: boolean,
  read: (value: unknown) => boolean | undefined,
): boolean[] | undefined {
  const values = text.list(field);
  if (values === undefined || values.length === 0) return undefined;
  if (mayGoOn ? values.length < layerCount : values.length !== layerCount)
    text.fail(field, `has ${values.length} entries for ${layerCount} layers`);
  return values
    .slice(0, layerCount)
    .map((value, layer) => read(value) ?? text.fail(`${field}[${layer}]`, `is ${quoted(value)}`));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
