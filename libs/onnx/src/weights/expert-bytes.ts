import type { ModelConfig } from "@drover/checkpoint";
import { linearBytes } from "./linear-bytes.ts";
import type { ModelWeights } from "./model-weights.ts";

/**
 * Bytes that one routed expert takes in memory: weights and scales as they are computed with, mapped or not. Reads one expert to know it; 0 for a model
 * that has none. Errors: the checkpoint's.
 */
export async function expertBytes(
  { moeLayers }: Pick<ModelConfig, "moeLayers">,
  weights: Pick<ModelWeights, "expert">,
): Promise<number> {
  const [layer] = moeLayers;
  if (layer === undefined) return 0;
  const { gateUp, down } = await weights.expert(layer, 0);
  return linearBytes(gateUp) + linearBytes(down);
}
