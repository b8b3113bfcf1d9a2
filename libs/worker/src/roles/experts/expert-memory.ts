import type { ModelConfig } from "@drover/checkpoint";
import type { ModelWeights } from "@drover/onnx";

type ExpertWeight = Awaited<ReturnType<ModelWeights["expert"]>>["down"];

/**
 * Experts, of all layers together, that `bytesMax` bytes hold; 0 where there is no limit. Reads one expert to know what it takes: weights and scales as
 * they are computed with, mapped or not.
 */
export async function expertCountMax(
  config: ModelConfig,
  weights: Pick<ModelWeights, "expert">,
  bytesMax: number | undefined,
): Promise<number> {
  const [layer] = config.moeLayers;
  if (bytesMax === undefined || layer === undefined) return 0;
  const { gateUp, down } = await weights.expert(layer, 0);
  // 0 on the wire is no limit: what holds nothing at all is taken to hold one.
  return Math.max(1, Math.floor(bytesMax / (linearBytes(gateUp) + linearBytes(down))));
}

/** What a Linear takes while it is in use. */
function linearBytes(weight: ExpertWeight): number {
  if (weight.kind === "f32") return weight.data.byteLength;
  if (weight.kind === "quantized") return weight.packed.byteLength + weight.scales.byteLength;
  return weight.parts.reduce(
    (sum, { packed, scales, prepared }) => sum + (prepared?.range.length ?? packed.length + scales.length),
    0,
  );
}
