import type { ModelConfig } from "@drover/checkpoint";
import { type AttentionWeights, type GraphDims, ropeTables } from "@drover/llama4";
import { FLAT_OUTPUT } from "../graphs/blocks.ts";
import type { BuiltGraph } from "../graphs/graph-builder.ts";
import { headGraph } from "../graphs/head.ts";
import { combineGraph, denseGraph, enterGraph, gateGraph, sharedExpertGraph } from "../graphs/stages.ts";
import { Session, type SessionOptions } from "../session.ts";
import type { ModelWeights } from "../weights/model-weights.ts";

/**
 * A gate, the shared expert and the combination with the routed experts' rows. Where the experts are in this process the gate's session computes
 * the shared expert as well; where they are in others it is a stage of its own, which runs while rows are away.
 */
export type MoeStages =
  | Readonly<{ kind: "moe-local"; moeIndex: number; gate: Session; combine: Session }>
  | Readonly<{ kind: "moe-remote"; moeIndex: number; gate: Session; shared: Session; combine: Session }>;

/** What follows a layer's attention. */
export type LayerStages = Readonly<{ kind: "dense"; dense: Session }> | MoeStages;

export type TextStages = Readonly<{ enter: Session; layers: readonly LayerStages[]; head: Session }>;

/** Every session of a model. */
export function sessionsOf({ enter, layers, head }: TextStages): readonly Session[] {
  const inLayers = layers.flatMap((stages) => {
    if (stages.kind === "dense") return [stages.dense];
    const { gate, combine } = stages;
    return stages.kind === "moe-local" ? [gate, combine] : [gate, stages.shared, combine];
  });
  return [enter, ...inLayers, head];
}

/** Loads every stage but the routed experts. One layer's weights are in flight at a time. `remoteExperts`: whether experts are in other processes. */
export async function loadTextStages(
  config: ModelConfig,
  weights: ModelWeights,
  remoteExperts: boolean,
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
      const projection = await weights.gate(layer);
      const shared = await weights.shared(layer);
      const session = (name: string, graph: BuiltGraph) => new Session(`${name} ${layer}`, graph, FLAT_OUTPUT, options);
      const gate = session(
        "gate",
        gateGraph(dims, { output, norm, gate: projection, shared: remoteExperts ? null : shared }),
      );
      const combine = session("combine", combineGraph(dims, next));
      if (!remoteExperts) layers.push({ kind: "moe-local", moeIndex, gate, combine });
      else {
        const sharedExpert = session("shared", sharedExpertGraph(dims, shared));
        layers.push({ kind: "moe-remote", moeIndex, gate, shared: sharedExpert, combine });
      }
    }
    onLayer(layer + 1, config.layerCount);
  }
  const headWeights = { norm: await weights.vector("model.norm.weight"), head: await weights.head() };
  const head = new Session("head", headGraph(dims, headWeights), FLAT_OUTPUT, options);
  return { enter, layers, head };
}
