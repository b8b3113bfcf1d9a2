import type { ModelConfig } from "@drover/checkpoint";
import { type AttentionWeights, type GraphDims, ropeTables } from "@drover/llama4";
import { FLAT_OUTPUT } from "../graphs/blocks.ts";
import { headGraph } from "../graphs/head.ts";
import { combineGraph, denseGraph, enterGraph, gateGraph, sharedExpertGraph } from "../graphs/stages.ts";
import { Session, type SessionOptions } from "../session.ts";
import type { ModelWeights } from "../weights/model-weights.ts";

/** What follows a layer's attention: a dense MLP, or a gate, the shared expert and the combination with the routed experts' rows. */
export type LayerStages =
  | Readonly<{ kind: "dense"; dense: Session }>
  | Readonly<{
      kind: "moe";
      moeIndex: number;
      gate: Session;
      /** Null where the gate's session computes the shared expert as well. */
      shared: Session | null;
      combine: Session;
    }>;

export type TextStages = Readonly<{ enter: Session; layers: readonly LayerStages[]; head: Session }>;

/**
 * Loads every stage but the routed experts. One layer's weights are in flight at a time. With `overlapShared` the shared expert is a stage of its own, to
 * be run while rows are away.
 */
export async function loadTextStages(
  config: ModelConfig,
  weights: ModelWeights,
  overlapShared: boolean,
  options: SessionOptions,
  onLayer: (done: number, total: number) => void,
): Promise<TextStages> {
  const dims: GraphDims = config;
  const rope = ropeTables(config, config.chunkSize);
  const attention = async (layer: number): Promise<AttentionWeights | null> => {
    if (layer >= config.layerCount) return null;
    return { ...(await weights.attention(layer)), rope: config.isGlobalLayer[layer] ? null : rope };
  };
  const first = await attention(0);
  if (first === null) throw new RangeError("a model has layers");
  const enter = new Session("enter", enterGraph(dims, first), FLAT_OUTPUT, options);
  const layers: LayerStages[] = [];
  for (let layer = 0; layer < config.layerCount; layer++) {
    const output = await weights.output(layer);
    const norm = await weights.vector(`model.layers.${layer}.post_attention_layernorm.weight`);
    const next = await attention(layer + 1);
    const moeIndex = config.moeLayers.indexOf(layer);
    if (moeIndex < 0) {
      const graph = denseGraph(dims, { output, norm, mlp: await weights.dense(layer) }, next);
      layers.push({ kind: "dense", dense: new Session(`dense ${layer}`, graph, FLAT_OUTPUT, options) });
    } else {
      const router = await weights.router(layer);
      const shared = await weights.shared(layer);
      layers.push({
        kind: "moe",
        moeIndex,
        gate: new Session(
          `gate ${layer}`,
          gateGraph(dims, { output, norm, router, shared: overlapShared ? null : shared }),
          FLAT_OUTPUT,
          options,
        ),
        shared: overlapShared
          ? new Session(`shared ${layer}`, sharedExpertGraph(dims, shared), FLAT_OUTPUT, options)
          : null,
        combine: new Session(`combine ${layer}`, combineGraph(dims, next), FLAT_OUTPUT, options),
      });
    }
    onLayer(layer + 1, config.layerCount);
  }
  const headWeights = { norm: await weights.vector("model.norm.weight"), head: await weights.head() };
  const head = new Session("head", headGraph(dims, headWeights), FLAT_OUTPUT, options);
  return { enter, layers, head };
}
