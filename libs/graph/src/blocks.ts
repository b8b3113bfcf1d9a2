import { assert } from "@drover/core";
import type { AttentionWeights, GraphDims, LinearWeight, MlpWeights } from "./dims.ts";
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

/** x [a, in] times a Linear's weight [out, in], transposed. */
export function linear(b: GraphBuilder, x: Value, weight: LinearWeight, outSize: number, inSize: number): Value {
  if (weight.kind === "f32") return b.node("Gemm", [x, b.weight(weight.data, [outSize, inSize])], { transB: 1 });
  const { bits, blockSize } = weight;
  const blockCount = Math.ceil(inSize / blockSize);
  const packed = b.bytes(weight.packed, [outSize, blockCount, (blockSize * bits) / 8]);
  const scales = b.weight(weight.scales, [outSize, blockCount]);
  return b.node("ms.MatMulNBits", [x, packed, scales], {
    K: inSize,
    N: outSize,
    bits,
    block_size: blockSize,
    accuracy_level: INT8_ACTIVATIONS,
  });
}

/** `down(silu(gate x) * up x)`, with gate and up as one matrix product. */
export function swiGlu(b: GraphBuilder, x: Value, weights: MlpWeights, hidden: number, width: number): Value {
  const gateUp = linear(b, x, weights.gateUp, 2 * width, hidden);
  const [gate = "", up = ""] = b.nodes("Split", [gateUp], 2, { axis: -1, num_outputs: 2 });
  const silu = b.node("ms.QuickGelu", [gate], { alpha: { f: 1 } });
  return linear(b, b.node("Mul", [silu, up]), weights.down, hidden, width);
}

/**
 * What an attention layer needs of its input x [a, D]: normalised, projected, rotated.
 * RoPE layers take `position` (modulo the chunk, so that the tables stay exact), global layers `temperature`.
 * Outputs q [a, H*d], k and v [a, KV*d]. Source: modeling_llama4.py, Llama4TextAttention.
 */
export function queryKeyValue(b: GraphBuilder, x: Value, weights: AttentionWeights, dims: GraphDims): QueryKeyValue {
  const qSize = dims.headCount * dims.headDim;
  const kvSize = dims.kvHeadCount * dims.headDim;
  const normed = rmsNorm(b, x, weights.norm, dims.rmsNormEps);
  const all = linear(b, normed, weights.qkv, qSize + 2 * kvSize, dims.hiddenSize);
  if (weights.rope === null) {
    const [q = "", k = "", v = ""] = b.nodes("Split", [all, b.ints([qSize, kvSize, kvSize])], 3, { axis: -1 });
    return { q: b.node("Mul", [q, "temperature"]), k, v };
  }
  const [unrotated = "", v = ""] = b.nodes("Split", [all, b.ints([qSize + kvSize, kvSize])], 2, { axis: -1 });
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
  const [q = "", k = ""] = b.nodes("Split", [flat, b.ints([qSize, kvSize])], 2, { axis: -1 });
  return { q, k, v };
}

export type QueryKeyValue = Readonly<{ q: Value; k: Value; v: Value }>;
