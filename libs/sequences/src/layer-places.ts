import type { KvGeometry, KvKind } from "@drover/kv";

/** Of a layer its kind, and its place among the layers of that kind: an extent has the rows of these. */
export type LayerPlace = Readonly<{ kind: KvKind; index: number }>;

/** The place of each layer of a model, in the layers' order. */
export function layerPlaces({ isGlobalLayer }: Pick<KvGeometry, "isGlobalLayer">): readonly LayerPlace[] {
  const counts = { global: 0, local: 0 };
  return isGlobalLayer.map((isGlobal) => {
    const kind = isGlobal ? "global" : "local";
    return { kind, index: counts[kind]++ };
  });
}
