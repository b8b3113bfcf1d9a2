import type { LinearWeight } from "@drover/llama4";

/** Bytes that a Linear takes while it is in use: weights and scales as they are computed with, mapped or not. */
export function linearBytes(weight: LinearWeight): number {
  if (weight.kind === "f32") return weight.data.byteLength;
  if (weight.kind === "quantized") return weight.packed.byteLength + weight.scales.byteLength;
  return weight.parts.reduce(
    (sum, { packed, scales, prepared }) => sum + (prepared?.range.length ?? packed.length + scales.length),
    0,
  );
}
