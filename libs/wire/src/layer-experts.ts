import { create } from "@bufbuild/protobuf";
import type { ExpertSet } from "@drover/fleet";
import { type LayerExperts, LayerExpertsSchema } from "@drover/proto";
import { wireFault } from "./wire-fault.ts";

export function layerExpertsToWire(experts: ExpertSet): LayerExperts[] {
  return [...experts].map(([layer, ofLayer]) => create(LayerExpertsSchema, { layer, experts: [...ofLayer] }));
}

/** Errors: `invalid_argument` for a layer that is named twice. */
export function layerExpertsFromWire(layers: readonly LayerExperts[], field: string): ExpertSet {
  const experts = new Map(layers.map(({ layer, experts }) => [layer, new Set(experts)]));
  if (experts.size < layers.length) throw wireFault(field, "names a layer twice");
  return experts;
}
