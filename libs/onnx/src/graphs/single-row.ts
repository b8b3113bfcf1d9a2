import type { AttentionWeights, GraphDims, LinearWeight, MlpWeights, RopeTables } from "@drover/llama4";
import { linear, rmsNorm, swiGlu } from "./blocks.ts";
import type { BoundGraph } from "./cached-attention.ts";
import { GraphBuilder, type Value } from "./graph-builder.ts";
import { gated } from "./stages.ts";

/** A layer's weights. A MoE layer's routed experts are not in it, nor, where `shared` is null, its shared expert. */
export type WholeLayer = Readonly<{
  layer: number;
  attention: AttentionWeights;
  output: LinearWeight;
  norm: Float32Array;
  mlp:
    | Readonly<{ kind: "dense"; weights: MlpWeights }>
    | Readonly<{ kind: "moe"; gate: LinearWeight; shared: MlpWeights | null }>;
}>;

/**
 * One row through layers that follow each other, attention and all, up to the gate of the last one where that is a MoE layer: a stage for the steps
 * of a single stream. What a row costs beside arithmetic is each operator's and each run's overhead, so the attention is one operator, which also
 * rotates the row and stores its key and value among the cached ones.
 * Inputs: `x` [1, 1, D], and behind an exchange `routed` [1, 1, D], which is added to it; of the kinds of layers that there are the count of cached rows
 * before this one, `before_KIND` [1], and with it, `total_KIND` [1]; for global ones `temperature` [Q + 2*K*d], the queries' temperature and ones; of
 * layer L the cached rows `kL` and `vL` [1, K, capacity, d]. Outputs: `out` [1, 1, n], one behind another, the residual [D], or of a MoE layer what
 * {@link gated} makes; `new_kL` and `new_vL`, which are to be bound to the memory of `kL` and `vL`.
 */
export function singleRowGraph(dims: GraphDims, layers: readonly WholeLayer[], isBehindExchange: boolean): BoundGraph {
  const b = new GraphBuilder();
  const inputs: string[] = [];
  const input = (name: string, type: "f32" | "i32", shape: readonly (number | string)[]) => {
    inputs.push(name);
    return b.input(name, type, shape);
  };
  const outputs: [string, Value][] = [];
  let y = input("x", "f32", [1, 1, dims.hiddenSize]);
  if (isBehindExchange) y = b.node("Add", [y, input("routed", "f32", [1, 1, dims.hiddenSize])]);
  for (const kind of ["local", "global"] as const) {
    if (!layers.some(({ attention }) => kindOf(attention) === kind)) continue;
    input(`before_${kind}`, "i32", [1]);
    input(`total_${kind}`, "i32", [1]);
    if (kind === "global") input("temperature", "f32", [(dims.headCount + 2 * dims.kvHeadCount) * dims.headDim]);
  }
  let out: readonly Value[] = [];
  for (const { layer, attention, output, norm, mlp } of layers) {
    const cacheShape = [1, dims.kvHeadCount, `capacity${layer}`, dims.headDim];
    const cached = [input(`k${layer}`, "f32", cacheShape), input(`v${layer}`, "f32", cacheShape)] as const;
    const { attended, k, v } = attend(b, y, attention, dims, cached);
    outputs.push([`new_k${layer}`, k], [`new_v${layer}`, v]);
    const h = b.node("Add", [y, linear(b, attended, output, dims.hiddenSize, dims.headCount * dims.headDim)]);
    const n = rmsNorm(b, h, norm, dims.rmsNormEps);
    if (mlp.kind === "dense") y = b.node("Add", [h, swiGlu(b, n, mlp.weights, dims.hiddenSize, dims.denseWidth)]);
    out = mlp.kind === "dense" ? [y] : gated(b, h, n, mlp, dims);
  }
  b.output("out", "f32", [1, 1, "n"], out.length === 1 ? y : b.node("Concat", out, { axis: -1 }));
  for (const [name, value] of outputs)
    b.output(name, "f32", [1, dims.kvHeadCount, `capacity_${name}`, dims.headDim], value);
  return { graph: b.build("inline"), inputs, outputs: ["out", ...outputs.map(([name]) => name)] };
}

function kindOf({ rope }: AttentionWeights): "local" | "global" {
  return rope === null ? "global" : "local";
}

/** The row's attention over the cached rows and itself. Returns [1, 1, Q], and the cached rows with its own. */
function attend(
  b: GraphBuilder,
  x: Value,
  weights: AttentionWeights,
  dims: GraphDims,
  [cachedK, cachedV]: readonly [Value, Value],
): Readonly<{ attended: Value; k: Value; v: Value }> {
  const { headCount, kvHeadCount, headDim } = dims;
  const normed = rmsNorm(b, x, weights.norm, dims.rmsNormEps);
  const qkv = linear(b, normed, weights.qkv, (headCount + 2 * kvHeadCount) * headDim, dims.hiddenSize);
  const kind = kindOf(weights);
  const scaled = kind === "global" ? b.node("Mul", [qkv, "temperature"]) : qkv;
  const rows = dims.useQkNorm && kind === "local" ? withNormedHeads(b, scaled, dims) : scaled;
  const [attended, k, v] = b.nodes(
    "ms.GroupQueryAttention",
    [rows, "", "", cachedK, cachedV, `before_${kind}`, `total_${kind}`, ...tables(b, weights.rope, headDim)],
    3,
    {
      num_heads: headCount,
      kv_num_heads: kvHeadCount,
      scale: { f: 1 / Math.sqrt(headDim) },
      ...(weights.rope !== null && { do_rotary: 1, rotary_interleaved: 1 }),
    },
  );
  return { attended, k, v };
}

function tables(b: GraphBuilder, rope: RopeTables | null, headDim: number): readonly Value[] {
  if (rope === null) return [];
  const shape = [rope.cos.length / (headDim / 2), headDim / 2];
  return [b.weight(rope.cos, shape), b.weight(rope.sin, shape)];
}

/** The L2 norm of Scout's queries and keys has no weight, so that it commutes with the rotation. */
function withNormedHeads(
  b: GraphBuilder,
  qkv: Value,
  { headCount, kvHeadCount, headDim, rmsNormEps }: GraphDims,
): Value {
  const normedSize = (headCount + kvHeadCount) * headDim;
  const [qk, v] = b.nodes("Split", [qkv, b.ints([normedSize, kvHeadCount * headDim])], 2, { axis: -1 });
  const heads = b.node("Reshape", [qk, b.ints([1, -1, headDim])]);
  const normed = rmsNorm(b, heads, new Float32Array(headDim).fill(1), rmsNormEps);
  return b.node("Concat", [b.node("Reshape", [normed, b.ints([1, 1, normedSize])]), v], { axis: -1 });
}
