import type { AttentionWeights, GraphDims, LinearWeight, MlpWeights } from "@drover/llama4";
import { flatOutput, linear, queryKeyValue, rmsNorm, swiGlu } from "./blocks.ts";
import { type BuiltGraph, GraphBuilder, type Value } from "./graph-builder.ts";

/**
 * The text model is cut where rows leave a session: at every attention (its KV is the runtime's) and at every MoE layer (its experts may be
 * anywhere). Each function authors one such stage; a is the number of tokens in the step. A stage has one output, `out`: its matrices in the
 * order named, each row-major and whole.
 */

/** Declares what {@link queryKeyValue} reads besides x. */
function attentionInputs(b: GraphBuilder, next: AttentionWeights): void {
  if (next.rope === null) b.input("temperature", "f32", ["a", 1]);
  else b.input("position", "i64", ["a", 1]);
}

/** Outputs the residual y and, unless the layer is the last, the next one's q, k, v. */
function emitLayer(b: GraphBuilder, y: Value, next: AttentionWeights | null, dims: GraphDims): void {
  if (next === null) {
    flatOutput(b, [y]);
    return;
  }
  const { q, k, v } = queryKeyValue(b, y, next, dims);
  flatOutput(b, [y, q, k, v]);
}

/** First stage: embedded rows x [a, D] to the first layer's q, k, v: [a, Q], [a, K*d] twice. */
export function enterGraph(dims: GraphDims, next: AttentionWeights): BuiltGraph {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["a", dims.hiddenSize]);
  attentionInputs(b, next);
  const { q, k, v } = queryKeyValue(b, x, next, dims);
  flatOutput(b, [q, k, v]);
  return b.build();
}

function residualAfterAttention(b: GraphBuilder, dims: GraphDims, output: LinearWeight): Value {
  const attended = b.input("attended", "f32", ["a", dims.headCount * dims.headDim]);
  const x = b.input("x", "f32", ["a", dims.hiddenSize]);
  return b.node("Add", [x, linear(b, attended, output, dims.hiddenSize, dims.headCount * dims.headDim)]);
}

/** A dense layer from its attention on: `attended` [a, Q] and residual `x` to the next residual y and, unless it is the last layer, the next q, k, v. */
export function denseGraph(
  dims: GraphDims,
  weights: Readonly<{ output: LinearWeight; norm: Float32Array; mlp: MlpWeights }>,
  next: AttentionWeights | null,
): BuiltGraph {
  const b = new GraphBuilder();
  const h = residualAfterAttention(b, dims, weights.output);
  if (next !== null) attentionInputs(b, next);
  const normed = rmsNorm(b, h, weights.norm, dims.rmsNormEps);
  const y = b.node("Add", [h, swiGlu(b, normed, weights.mlp, dims.hiddenSize, dims.denseWidth)]);
  emitLayer(b, y, next, dims);
  return b.build();
}

/**
 * A MoE layer from its attention to its gate. Outputs the scaled expert input z = sigmoid(logit) * n [a, D], each row's expert [a, 1], the arg
 * max of the gate's logits (top 1), as a whole number in f32, and for {@link sharedExpertGraph} the residual h and the normalised input n, [a, D] each;
 * given the shared expert's weights it computes that too and outputs s = h + shared(n) in their place. Source: Llama4TextMoe, moe.py.
 */
export function gateGraph(
  dims: GraphDims,
  weights: Readonly<{ output: LinearWeight; norm: Float32Array; gate: LinearWeight; shared: MlpWeights | null }>,
): BuiltGraph {
  const b = new GraphBuilder();
  const h = residualAfterAttention(b, dims, weights.output);
  const n = rmsNorm(b, h, weights.norm, dims.rmsNormEps);
  flatOutput(b, gated(b, h, n, weights, dims));
  return b.build();
}

/**
 * A gate's choice for residual h and normalised input n, [.., D] each: the scaled expert input z [.., D], each row's expert [.., 1], and h and n, or, given
 * the shared expert's weights, s = h + shared(n).
 */
export function gated(
  b: GraphBuilder,
  h: Value,
  n: Value,
  { gate, shared }: Readonly<{ gate: LinearWeight; shared: MlpWeights | null }>,
  dims: GraphDims,
): readonly Value[] {
  const logits = linear(b, n, gate, dims.expertCount, dims.hiddenSize);
  const best = b.node("ReduceMax", [logits, b.ints([-1])], { keepdims: 1 });
  const expert = b.node("Cast", [b.node("ArgMax", [logits], { axis: -1, keepdims: 1 })], { to: ONNX_F32 });
  const z = b.node("Mul", [n, b.node("Sigmoid", [best])]);
  return [z, expert, ...(shared === null ? [h, n] : [addShared(b, h, n, shared, dims)])];
}

const ONNX_F32 = 1;

function addShared(b: GraphBuilder, h: Value, n: Value, weights: MlpWeights, dims: GraphDims): Value {
  return b.node("Add", [h, swiGlu(b, n, weights, dims.hiddenSize, dims.expertWidth)]);
}

/** Runs while the routed experts are away: s = h + shared(n). */
export function sharedExpertGraph(dims: GraphDims, weights: MlpWeights): BuiltGraph {
  const b = new GraphBuilder();
  const h = b.input("h", "f32", ["a", dims.hiddenSize]);
  const n = b.input("n", "f32", ["a", dims.hiddenSize]);
  flatOutput(b, [addShared(b, h, n, weights, dims)]);
  return b.build();
}

/** After the exchange: y = s + routed, and the next layer's q, k, v unless the MoE layer was the last. */
export function combineGraph(dims: GraphDims, next: AttentionWeights | null): BuiltGraph {
  const b = new GraphBuilder();
  const s = b.input("s", "f32", ["a", dims.hiddenSize]);
  const routed = b.input("routed", "f32", ["a", dims.hiddenSize]);
  if (next !== null) attentionInputs(b, next);
  const y = b.node("Add", [s, routed]);
  emitLayer(b, y, next, dims);
  return b.build();
}

/** One routed expert on its rows z [g, D], already scaled. */
export function expertGraph(dims: GraphDims, weights: MlpWeights): BuiltGraph {
  const b = new GraphBuilder();
  const z = b.input("z", "f32", ["g", dims.hiddenSize]);
  flatOutput(b, [swiGlu(b, z, weights, dims.hiddenSize, dims.expertWidth)]);
  return b.build();
}
