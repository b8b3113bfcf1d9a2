import { assert } from "@drover/core";
import {
  type ModelShape,
  type TensorShape,
  tensorPurpose,
  WEIGHT_KINDS,
  type WeightKind,
  weightCount,
} from "@drover/llama4";

/** Tensors of one purpose together. Parameters are weights without the scales of quantized ones. */
type KindTotals = Readonly<{ bytes: number; parameters: number; tensorCount: number }>;

/** What one layer's tensors weigh. */
type LayerWeight = Readonly<{
  /** Attention, norms, router or dense MLP. */
  residentBytes: number;
  sharedBytes: number;
  /** One routed expert; 0 in dense layers. */
  expertBytes: number;
}>;

/** A model's weights in bytes, by purpose and by layer. */
export type WeightInventory = Readonly<{
  byKind: Readonly<Record<WeightKind, KindTotals>>;
  layers: readonly LayerWeight[];
  totalBytes: number;
  parameterCount: number;
  /** Bytes by element type. */
  byDtype: Readonly<Record<string, number>>;
}>;

/** Counts tensors. Bug for a text tensor of a layer that the model does not have: the caller has refused it. */
export function weightInventory(tensors: Iterable<TensorShape>, model: ModelShape): WeightInventory {
  const byKind = WEIGHT_KINDS.map((kind) => ({ kind, bytes: 0, parameters: 0, tensorCount: 0 }));
  const layers = Array.from({ length: model.layerCount }, () => ({ residentBytes: 0, sharedBytes: 0, routedBytes: 0 }));
  const byDtype = new Map<string, number>();
  for (const tensor of tensors) {
    const { kind, layer, isScale } = tensorPurpose(tensor.name);
    const totals = byKind.find((one) => one.kind === kind);
    assert(totals !== undefined, "every kind is counted");
    totals.bytes += tensor.byteCount;
    totals.tensorCount++;
    if (!isScale) totals.parameters += weightCount(tensor);
    byDtype.set(tensor.dtype, (byDtype.get(tensor.dtype) ?? 0) + tensor.byteCount);
    if (layer < 0) continue;
    const weight = layers[layer];
    assert(weight !== undefined, "a tensor's layer is one of the model's");
    if (kind === "shared") weight.sharedBytes += tensor.byteCount;
    else if (kind === "routed") weight.routedBytes += tensor.byteCount;
    else weight.residentBytes += tensor.byteCount;
  }
  return {
    byKind: Object.fromEntries(byKind.map(({ kind, ...totals }) => [kind, totals])) as WeightInventory["byKind"],
    layers: layers.map(({ routedBytes, ...weight }) => ({ ...weight, expertBytes: routedBytes / model.expertCount })),
    totalBytes: byKind.reduce((sum, { bytes }) => sum + bytes, 0),
    parameterCount: byKind.reduce((sum, { parameters }) => sum + parameters, 0),
    byDtype: Object.fromEntries(byDtype),
  };
}

/** What every attention worker holds: all but routed experts and vision. */
export function residentBytes(weights: WeightInventory): number {
  return weights.totalBytes - weights.byKind.routed.bytes - weights.byKind.vision.bytes;
}
