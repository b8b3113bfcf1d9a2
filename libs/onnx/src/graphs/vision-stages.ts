import { at } from "@drover/core";
import type {
  BiasedLinear,
  LayerNormWeights,
  RopeTables,
  VisionDims,
  VisionEnterWeights,
  VisionExitWeights,
  VisionLayerWeights,
} from "@drover/llama4";
import { type BuiltGraph, GraphBuilder, type Value } from "./graph-builder.ts";

/**
 * The vision encoder is a graph for each layer, so that only one layer's weights are in memory twice while they load. t is the number of tiles,
 * S the rows of each (its patches, and the class last); between graphs rows are flat, [t*S, W]. Every graph's output is `out`.
 */

/** What PyTorch's LayerNorm adds to the variance. The reference leaves it there, whatever `norm_eps` says. */
const EPSILON = 1e-5;
const CHANNELS = 3;

/**
 * Pixels, grey levels u8 [t, side, side, 3], to rows [t*S, W]: each patch normalised to `v / 127.5 - 1` and projected, the class appended, positions
 * added, `layernorm_pre`. Source: modeling_llama4.py, Llama4VisionModel.
 */
export function visionEnterGraph(dims: VisionDims, weights: VisionEnterWeights): BuiltGraph {
  const { hiddenSize, imageSize, patchSize, gridSize } = dims;
  const b = new GraphBuilder();
  const pixels = b.input("pixels", "u8", ["t", imageSize, imageSize, CHANNELS]);
  const cut = b.node("Reshape", [pixels, b.ints([-1, gridSize, patchSize, gridSize, patchSize, CHANNELS])]);
  const patches = b.node("Transpose", [cut], { perm: [0, 1, 3, 5, 2, 4] });
  const patchArea = CHANNELS * patchSize ** 2;
  const grey = b.node("Cast", [b.node("Reshape", [patches, b.ints([-1, patchArea])])], { to: 1 });
  const halfRange = b.weight(Float32Array.of(127.5), [1]);
  const normalised = b.node("Sub", [b.node("Div", [grey, halfRange]), b.weight(Float32Array.of(1), [1])]);
  const projected = linear(b, normalised, { weight: weights.patches, bias: null }, hiddenSize, patchArea);
  const patchCount = gridSize ** 2;
  const patchPositions = weights.positions.subarray(0, patchCount * hiddenSize);
  const placed = b.node("Add", [
    b.node("Reshape", [projected, b.ints([-1, patchCount, hiddenSize])]),
    b.weight(patchPositions, [1, patchCount, hiddenSize]),
  ]);
  const classPosition = weights.positions.subarray(patchCount * hiddenSize);
  const classRow = weights.classEmbedding.map((value, i) => value + at(classPosition, i));
  const tileCount = b.node("Shape", [pixels], { start: 0, end: 1 });
  const classRows = b.node("Expand", [
    b.weight(classRow, [1, 1, hiddenSize]),
    b.node("Concat", [tileCount, b.ints([1, hiddenSize])], { axis: 0 }),
  ]);
  const rows = b.node("Reshape", [b.node("Concat", [placed, classRows], { axis: 1 }), b.ints([-1, hiddenSize])]);
  return finish(b, layerNorm(b, rows, weights.norm), hiddenSize);
}

/** One pre-norm layer, `x` [t*S, W] to the same: full attention among a tile's rows with rotary queries and keys, then the MLP. */
export function visionLayerGraph(dims: VisionDims, weights: VisionLayerWeights, rope: RopeTables): BuiltGraph {
  const { hiddenSize, mlpWidth } = dims;
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["rows", hiddenSize]);
  const attended = attention(b, layerNorm(b, x, weights.inputNorm), weights.qkv, rope, dims);
  const h = b.node("Add", [x, linear(b, attended, weights.output, hiddenSize, hiddenSize)]);
  const inner = gelu(b, linear(b, layerNorm(b, h, weights.mlpNorm), weights.fc1, mlpWidth, hiddenSize));
  return finish(b, b.node("Add", [h, linear(b, inner, weights.fc2, hiddenSize, mlpWidth)]), hiddenSize);
}

/** `x` [t*S, W] to features [t * (gridSize / shuffle)^2, D]: `layernorm_post`, the class dropped, pixel shuffle, adapter, projector. */
export function visionExitGraph(dims: VisionDims, weights: VisionExitWeights): BuiltGraph {
  const { hiddenSize, gridSize, shuffle, mlpWidth, adapterWidth, outputWidth, textHiddenSize } = dims;
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["rows", hiddenSize]);
  const patchCount = gridSize ** 2;
  const tiles = b.node("Reshape", [x, b.ints([-1, patchCount + 1, hiddenSize])]);
  const patches = b.node("Slice", [tiles, b.ints([0]), b.ints([patchCount]), b.ints([1])]);
  const normed = layerNorm(b, patches, weights.norm);
  const side = gridSize / shuffle;
  const squares = b.node("Reshape", [normed, b.ints([-1, side, shuffle, side, shuffle, hiddenSize])]);
  const shuffled = b.node("Transpose", [squares], { perm: [0, 1, 3, 2, 4, 5] });
  const rows = b.node("Reshape", [shuffled, b.ints([-1, mlpWidth])]);
  const inner = gelu(b, linear(b, rows, weights.fc1, adapterWidth, mlpWidth));
  const adapted = gelu(b, linear(b, inner, weights.fc2, outputWidth, adapterWidth));
  return finish(b, linear(b, adapted, weights.projector, textHiddenSize, outputWidth), textHiddenSize);
}

function finish(b: GraphBuilder, rows: Value, width: number): BuiltGraph {
  b.output("out", "f32", ["n", width], rows);
  return b.build();
}

/** Queries and keys turn together: their heads are alike. The class's row of the tables leaves it as it is. */
function attention(b: GraphBuilder, x: Value, weights: BiasedLinear, rope: RopeTables, dims: VisionDims): Value {
  const { hiddenSize, headCount, gridSize } = dims;
  const rowCount = gridSize ** 2 + 1;
  const half = hiddenSize / headCount / 2;
  const all = linear(b, x, weights, 3 * hiddenSize, hiddenSize);
  const tiles = b.node("Reshape", [all, b.ints([-1, rowCount, 3 * hiddenSize])]);
  const [qk, v] = b.nodes("Split", [tiles, b.ints([2 * hiddenSize, hiddenSize])], 2, { axis: -1 });
  const rotated = b.node(
    "ms.RotaryEmbedding",
    [qk, b.ints([0]), b.weight(rope.cos, [rowCount, half]), b.weight(rope.sin, [rowCount, half])],
    { interleaved: 1, num_heads: 2 * headCount },
  );
  const [q, k] = b.nodes("Split", [rotated, b.ints([hiddenSize, hiddenSize])], 2, { axis: -1 });
  const attended = b.node("ms.MultiHeadAttention", [q, k, v], { num_heads: headCount });
  return b.node("Reshape", [attended, b.ints([-1, hiddenSize])]);
}

function layerNorm(b: GraphBuilder, x: Value, { weight, bias }: LayerNormWeights): Value {
  const size = [weight.length];
  return b.node("LayerNormalization", [x, b.weight(weight, size), b.weight(bias, size)], {
    axis: -1,
    epsilon: { f: EPSILON },
  });
}

function linear(b: GraphBuilder, x: Value, { weight, bias }: BiasedLinear, outSize: number, inSize: number): Value {
  const inputs = [x, b.weight(weight, [outSize, inSize])];
  if (bias !== null) inputs.push(b.weight(bias, [outSize]));
  return b.node("Gemm", inputs, { transB: 1 });
}

/** With the error function, not tanh. */
function gelu(b: GraphBuilder, x: Value): Value {
  return b.node("ms.Gelu", [x]);
}
