import type { ModelConfig } from "@drover/checkpoint";
import { type AttentionWeights, type GraphDims, type MlpWeights, ropeTables } from "@drover/llama4";
import type { CachedTensors } from "../bound/bound-session.ts";
import { FLAT_OUTPUT } from "../graphs/blocks.ts";
import type { BuiltGraph } from "../graphs/graph-builder.ts";
import { headGraph } from "../graphs/head.ts";
import type { WholeLayer } from "../graphs/single-row.ts";
import { combineGraph, denseGraph, enterGraph, gateGraph, sharedExpertGraph } from "../graphs/stages.ts";
import { SINGLE_ROW_BYTES_MAX } from "../limits.ts";
import { Session, type SessionOptions } from "../session.ts";
import type { ModelWeights } from "../weights/model-weights.ts";
import { SingleRowLoader, type SingleRowStages } from "./single-row-stages.ts";

/**
 * A gate, the shared expert and the combination with the routed experts' rows. Where the experts are in this process the gate's session computes
 * the shared expert as well; where they are in others it is a stage of its own, which runs while rows are away.
 */
export type MoeStages =
  | Readonly<{ kind: "moe-local"; moeIndex: number; gate: Session; combine: Session }>
  | Readonly<{ kind: "moe-remote"; moeIndex: number; gate: Session; shared: Session; combine: Session }>;

/** What follows a layer's attention. */
export type LayerStages = Readonly<{ kind: "dense"; dense: Session }> | MoeStages;

/** `singleRow`: of a small model, what steps of one row pass in their place. */
export type TextStages = Readonly<{
  enter: Session;
  layers: readonly LayerStages[];
  singleRow: SingleRowStages | undefined;
  head: Session;
}>;

/** Every session of a model. */
export function sessionsOf({ enter, layers, head }: TextStages): readonly Session[] {
  const inLayers = layers.flatMap((stages) => {
    if (stages.kind === "dense") return [stages.dense];
    const { gate, combine } = stages;
    return stages.kind === "moe-local" ? [gate, combine] : [gate, stages.shared, combine];
  });
  return [enter, ...inLayers, head];
}

export type StageOptions = SessionOptions &
  Readonly<{
    /** Whether experts are in other processes. */
    remoteExperts: boolean;
    /** Tensors over cached rows, where rows are attended to in place: steps of one row then have stages of their own. */
    cached: CachedTensors | undefined;
    onLayer: (done: number, total: number) => void;
  }>;

/** Loads every stage but the routed experts. Of a model that is too large for stages of a single row one layer's weights are in flight at a time. */
export async function loadTextStages(
  config: ModelConfig,
  weights: ModelWeights,
  options: StageOptions,
): Promise<TextStages> {
  const dims: GraphDims = config;
  const rope = ropeTables(config, config.chunkSize);
  const attention = async (layer: number): Promise<AttentionWeights | null> => {
    if (layer >= config.layerCount) return null;
    return { ...(await weights.attention(layer)), rope: config.isGlobalLayer[layer] ? null : rope };
  };
  let current = await attention(0);
  if (current === null) throw new RangeError("a model has layers");
  const enter = new Session("enter", enterGraph(dims, current), FLAT_OUTPUT, options);
  const layers: LayerStages[] = [];
  const single = options.cached && new SingleRowLoader(options.cached, dims, SINGLE_ROW_BYTES_MAX, options);
  for (let layer = 0; current !== null; layer++) {
    const read = await readLayer(config, weights, layer, current, options.remoteExperts);
    const next: AttentionWeights | null = await attention(layer + 1);
    layers.push(layerStages(config, read, next, options));
    single?.add(read.layer);
    options.onLayer(layer + 1, config.layerCount);
    current = next;
  }
  const headWeights = { norm: await weights.vector("model.norm.weight"), head: await weights.head() };
  const head = new Session("head", headGraph(dims, headWeights), FLAT_OUTPUT, options);
  return { enter, layers, singleRow: single?.finish(), head };
}

/** A layer's weights; of a MoE layer whose experts are in other processes, the shared expert's as well, which is a stage of its own there. */
type ReadLayer = Readonly<{ layer: WholeLayer; sharedApart: MlpWeights | undefined }>;

async function readLayer(
  { moeLayers }: ModelConfig,
  weights: ModelWeights,
  layer: number,
  attention: AttentionWeights,
  remoteExperts: boolean,
): Promise<ReadLayer> {
  const output = await weights.output(layer);
  const norm = await weights.vector(`model.layers.${layer}.post_attention_layernorm.weight`);
  const common = { layer, attention, output, norm };
  if (!moeLayers.includes(layer))
    return {
      layer: { ...common, mlp: { kind: "dense", weights: await weights.dense(layer) } },
      sharedApart: undefined,
    };
  const gate = await weights.gate(layer);
  const shared = await weights.shared(layer);
  return {
    layer: { ...common, mlp: { kind: "moe", gate, shared: remoteExperts ? null : shared } },
    sharedApart: remoteExperts ? shared : undefined,
  };
}

function layerStages(
  config: ModelConfig,
  { layer: { layer, output, norm, mlp }, sharedApart }: ReadLayer,
  next: AttentionWeights | null,
  options: SessionOptions,
): LayerStages {
  const session = (name: string, graph: BuiltGraph) => new Session(`${name} ${layer}`, graph, FLAT_OUTPUT, options);
  if (mlp.kind === "dense") {
    const dense = denseGraph(config, { output, norm, mlp: mlp.weights }, next);
    return { kind: "dense", dense: session("dense", dense) };
  }
  const moeIndex = config.moeLayers.indexOf(layer);
  const gate = session("gate", gateGraph(config, { output, norm, gate: mlp.gate, shared: mlp.shared }));
  const combine = session("combine", combineGraph(config, next));
  if (sharedApart === undefined) return { kind: "moe-local", moeIndex, gate, combine };
  const shared = session("shared", sharedExpertGraph(config, sharedApart));
  return { kind: "moe-remote", moeIndex, gate, shared, combine };
}
