import type { ModelShape } from "@drover/llama4";
import { LOGIT_ROWS } from "./limits.ts";

/** Activations are accounted in f32, the widest type of any engine. */
const BYTES = 4;

/** Transient memory of one step, by role. */
export type ActivationSize = Readonly<{ attentionBytes: number; expertBytes: number }>;

/**
 * Sums the largest buffers that live at once while a step of `a` rows goes through one layer: a sum of shapes, not a measurement.
 * attention: residual, norm, exchange out and in 4 [a, D]; q, k, v [a, (H + 2 Hkv) d]; heads [a, H d]; scores against one chunk [H, a, chunk];
 * gate, up and product of the widest MLP [a, 3 W]; logits [64, V]. experts: rows in and out 2 [a, D], gate, up and product [a, 3 F].
 */
export function activationSize(model: ModelShape, a: number): ActivationSize {
  const { hiddenSize: d, headCount, kvHeadCount, headDim, expertWidth: f } = model;
  const isDense = model.moeLayers.length < model.layerCount;
  const width = isDense ? Math.max(model.denseWidth, f) : f;
  const perRow =
    4 * d + (headCount + 2 * kvHeadCount) * headDim + headCount * headDim + headCount * model.chunkSize + 3 * width;
  return {
    attentionBytes: BYTES * (a * perRow + LOGIT_ROWS * model.vocabSize),
    expertBytes: BYTES * a * (2 * d + 3 * f),
  };
}
