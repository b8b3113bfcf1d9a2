import { assert } from "@drover/core";
import type { AttentionWeights, GraphDims, LinearWeight, MappedLinear, MlpWeights } from "@drover/llama4";
import type { GraphBuilder, Value } from "./graph-builder.ts";

/** RMSNorm over the last axis with its weight: `w * x * rsqrt(mean(x^2) + eps)`. */
export function rmsNorm(b: GraphBuilder, x: Value, weight: Float32Array, eps: number): Value {
  return b.node("SimplifiedLayerNormalization", [x, b.weight(weight, [weight.length])], {
    axis: -1,
    epsilon: { f: eps },
  });
}

/** Products with quantized weights quantize their activations too, each row and block by itself: int8, accumulated in f32. */
const INT8_ACTIVATIONS = 4;

/** x [.., in] times a Linear's weight [out, in], transposed. */
export function linear(b: GraphBuilder, x: Value, weight: LinearWeight, outSize: number, inSize: number): Value {
  switch (weight.kind) {
    case "f32":
      return b.node("ms.FusedMatMul", [x, b.weight(weight.data, [outSize, inSize])], { transB: 1 });
    case "quantized": {
      const shape = quantizedShape(weight, outSize, inSize);
      return matMulNBits(b, x, shape, b.bytes(weight.packed, shape.packed), b.weight(weight.scales, shape.scales));
    }
    case "mapped":
      return mappedLinear(b, x, weight, outSize, inSize);
  }
}

type QuantizedShape = Readonly<{ bits: number; blockSize: number; outSize: number; inSize: number }> &
  Readonly<{ packed: readonly number[]; scales: readonly number[] }>;

function quantizedShape(
  { bits, blockSize }: Readonly<{ bits: number; blockSize: number }>,
  outSize: number,
  inSize: number,
): QuantizedShape {
  const blockCount = Math.ceil(inSize / blockSize);
  const packed = [outSize, blockCount, (blockSize * bits) / 8];
  return { bits, blockSize, outSize, inSize, packed, scales: [outSize, blockCount] };
}

function matMulNBits(b: GraphBuilder, x: Value, shape: QuantizedShape, packed: Value, scales: Value): Value {
  return b.node("ms.MatMulNBits", [x, packed, scales], {
    K: shape.inSize,
    N: shape.outSize,
    bits: shape.bits,
    block_size: shape.blockSize,
    accuracy_level: INT8_ACTIVATIONS,
  });
}

/** The parts of a mapped Linear, their outputs side by side. */
function mappedLinear(b: GraphBuilder, x: Value, weight: MappedLinear, outSize: number, inSize: number): Value {
  const outputs = weight.parts.map((part) => {
    const shape = quantizedShape(weight, part.rowCount, inSize);
    const packed = b.mapped("u8", shape.packed, { file: part.file, range: part.packed, prepared: part.prepared });
    const scales = b.mapped("f32", shape.scales, { file: part.file, range: part.scales, prepared: null });
    return matMulNBits(b, x, shape, packed, scales);
  });
  const rowCount = weight.parts.reduce((sum, part) => sum + part.rowCount, 0);
  const [only] = outputs;
  assert(only !== undefined && rowCount === outSize, "a mapped Linear's parts have all its rows");
  return outputs.length === 1 ? only : b.node("Concat", outputs, { axis: -1 });
}

/** `down(silu(gate x) * up x)`, with gate and up as one matrix product. */
export function swiGlu(b: GraphBuilder, x: Value, weights: MlpWeights, hidden: number, width: number): Value {
  const gateUp = linear(b, x, weights.gateUp, 2 * width, hidden);
  const [gate, up] = b.nodes("Split", [gateUp], 2, { axis: -1, num_outputs: 2 });
  const silu = b.node("ms.QuickGelu", [gate], { alpha: { f: 1 } });
  return linear(b, b.node("Mul", [silu, up]), weights.down, hidden, width);
}

/** What {@link flatOutput} makes. */
export const FLAT_OUTPUT = ["out"] as const;

/**
 * Makes the values the graph's only output, `out` [n] f32: each row-major and whole, one behind another. Every output of a run costs as much as
 * several small operators, so a stage has one.
 */
export function flatOutput(b: GraphBuilder, values: readonly Value[]): void {
  const [only] = values;
  if (only !== undefined && values.length === 1) {
    b.output("out", "f32", ["rows", "width"], only);
    return;
  }
  const flat = values.map((value) => b.node("Reshape", [value, b.ints([-1])]));
  b.output("out", "f32", ["n"], b.node("Concat", flat, { axis: 0 }));
}

/**
 * What an attention layer needs of its input x [a, D]: normalised, projected, rotated.
 * RoPE layers take `position` (modulo the chunk, so that the tables stay exact), global layers `temperature`.
 * Outputs q [a, Q], k and v [a, K*d]. Source: modeling_llama4.py, Llama4TextAttention.
 */
export function queryKeyValue(b: GraphBuilder, x: Value, weights: AttentionWeights, dims: GraphDims): QueryKeyValue {
  const qSize = dims.headCount * dims.headDim;
  const kvSize = dims.kvHeadCount * dims.headDim;
  const normed = rmsNorm(b, x, weights.norm, dims.rmsNormEps);
  const all = linear(b, normed, weights.qkv, qSize + 2 * kvSize, dims.hiddenSize);
  if (weights.rope === null) {
    const [q, k, v] = b.nodes("Split", [all, b.ints([qSize, kvSize, kvSize])], 3, { axis: -1 });
    return { q: b.node("Mul", [q, "temperature"]), k, v };
  }
  const [unrotated, v] = b.nodes("Split", [all, b.ints([qSize + kvSize, kvSize])], 2, { axis: -1 });
  const half = dims.headDim / 2;
  const rows = weights.rope.cos.length / half;
  assert(Number.isInteger(rows), "a RoPE table has headDim / 2 columns");
  const heads = dims.headCount + dims.kvHeadCount;
  // Every row is a batch of one: the operator refuses more rows in a sequence than its tables have positions.
  const batched = b.node("Unsqueeze", [unrotated, b.ints([1])]);
  const rotated = b.node(
    "ms.RotaryEmbedding",
    [batched, "position", b.weight(weights.rope.cos, [rows, half]), b.weight(weights.rope.sin, [rows, half])],
    { interleaved: 1, num_heads: heads },
  );
  // The L2 norm of Scout has no weight, so it commutes with the split into heads and with the rotation.
  const normedQk = dims.useQkNorm
    ? rmsNorm(
        b,
        b.node("Reshape", [rotated, b.ints([-1, dims.headDim])]),
        new Float32Array(dims.headDim).fill(1),
        dims.rmsNormEps,
      )
    : rotated;
  const flat = b.node("Reshape", [normedQk, b.ints([-1, qSize + kvSize])]);
  const [q, k] = b.nodes("Split", [flat, b.ints([qSize, kvSize])], 2, { axis: -1 });
  return { q, k, v };
}

export type QueryKeyValue = Readonly<{ q: Value; k: Value; v: Value }>;
