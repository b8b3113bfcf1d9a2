import { at, type HostKvDtype } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { type BuiltGraph, GraphBuilder, type Value } from "./graph-builder.ts";

export type AttentionVariant = Readonly<{
  /** Adds `mask` [a, t], 0 or -infinity: for query rows among the keys themselves. */
  masked: boolean;
  /** Also returns the log-sum-exp of every row and head, so that parts over several views can be merged exactly. */
  partial: boolean;
  /** What keys and values are kept as. */
  kv: HostKvDtype;
}>;

/**
 * Attention of a query rows over one contiguous view of t cached rows, as plain operators per KV head: cached keys and values come as one
 * buffer per head, so that a view of any length is fed without a copy.
 * Inputs: `q` [a, Q], `k0..`, `v0..` [t, d]; of int8 also their scales `ks0..`, `vs0..` [t]. Outputs: `attended` [a, Q]; with `partial` also `lse` [a, H].
 */
export function attentionGraph(dims: GraphDims, variant: AttentionVariant): BuiltGraph {
  const b = new GraphBuilder();
  const { headCount, kvHeadCount, headDim } = dims;
  const group = headCount / kvHeadCount;
  const q = b.input("q", "f32", ["a", headCount * headDim]);
  const mask = variant.masked ? b.node("Unsqueeze", [b.input("mask", "f32", ["a", "t"]), b.ints([1, 2])]) : null;
  const byHead = b.node("Reshape", [q, b.ints([-1, kvHeadCount, group, headDim])]);
  const queries =
    kvHeadCount === 1 ? [byHead] : b.nodes("Split", [byHead], kvHeadCount, { axis: 1, num_outputs: kvHeadCount });
  const outputs: Value[] = [];
  const sums: Value[] = [];
  for (const [head, query] of queries.entries()) {
    const k = dequantized(b, storedRows(b, variant.kv, "k", String(head), ["t", headDim]));
    const v = dequantized(b, storedRows(b, variant.kv, "v", String(head), ["t", headDim]));
    const raw = b.node("ms.FusedMatMul", [query, k.rows], { transB: 1, alpha: { f: 1 / Math.sqrt(headDim) } });
    const scores = mask === null ? raw : b.node("Add", [raw, mask]);
    if (!variant.partial) {
      outputs.push(weighted(b, b.node("Softmax", [scores], { axis: -1 }), v));
      continue;
    }
    const part = partialSoftmax(b, scores, v);
    outputs.push(part.attended);
    sums.push(part.lse);
  }
  const join = (parts: Value[]) => (parts.length === 1 ? at(parts, 0) : b.node("Concat", parts, { axis: 1 }));
  b.output(
    "attended",
    "f32",
    ["a", headCount * headDim],
    b.node("Reshape", [join(outputs), b.ints([-1, headCount * headDim])]),
  );
  if (variant.partial)
    b.output("lse", "f32", ["a", headCount], b.node("Reshape", [join(sums), b.ints([-1, headCount])]));
  return b.build();
}

/** Keys or values of one KV head, [t, d]. `scales` [t]: what each row is still to be multiplied by; null: nothing. */
type StoredRows = Readonly<{ rows: Value; scales: Value | null }>;

function storedRows(
  b: GraphBuilder,
  kv: HostKvDtype,
  name: string,
  suffix: string,
  dims: readonly [string, number],
): StoredRows {
  const rows = b.input(`${name}${suffix}`, kv === "f32" ? "f32" : "i8", dims);
  return { rows, scales: kv === "f32" ? null : b.input(`${name}s${suffix}`, "f32", [dims[0]]) };
}

/** Many queries use them: scaling rows costs t*d, scaling scores a*t. */
function dequantized(b: GraphBuilder, { rows, scales }: StoredRows): StoredRows {
  return { rows: scales === null ? rows : b.node("DequantizeLinear", [rows, scales], { axis: 0 }), scales: null };
}

function floats(b: GraphBuilder, { rows, scales }: StoredRows): Value {
  return scales === null ? rows : b.node("Cast", [rows], { to: 1 });
}

/** [.., t], one column for each row. */
function scaled(b: GraphBuilder, columns: Value, { scales }: StoredRows): Value {
  return scales === null ? columns : b.node("Mul", [columns, scales]);
}

function weighted(b: GraphBuilder, weights: Value, v: StoredRows): Value {
  return b.node("MatMul", [scaled(b, weights, v), floats(b, v)]);
}

/** Softmax of the scores times v over this part of the keys alone, and the log-sum-exp by which parts are merged. */
function partialSoftmax(b: GraphBuilder, scores: Value, v: StoredRows): { attended: Value; lse: Value } {
  const peak = b.node("ReduceMax", [scores, b.ints([-1])], { keepdims: 1 });
  const weights = b.node("Exp", [b.node("Sub", [scores, peak])]);
  const total = b.node("ReduceSum", [weights, b.ints([-1])], { keepdims: 1 });
  return {
    attended: b.node("Div", [weighted(b, weights, v), total]),
    lse: b.node("Add", [b.node("Log", [total]), peak]),
  };
}

/**
 * Attention of `count` pairs of a decoding row and a run of keys, in one graph: a branch of three operators for each pair and KV head. It saves
 * a run for each pair, which costs as much as short contexts do.
 * Inputs: `q` [count, Q], `k0.0`, `v0.0`, ... [t, d] by pair and head, every pair with a length of its own; of int8 also their scales
 * `ks0.0`, `vs0.0`, ... [t]. Outputs: `attended` [count, Q]; with
 * `partial` also `lse` [count, H].
 */
export function decodeAttentionGraph(dims: GraphDims, count: number, partial: boolean, kv: HostKvDtype): BuiltGraph {
  const b = new GraphBuilder();
  const { headCount, kvHeadCount, headDim } = dims;
  const group = headCount / kvHeadCount;
  const q = b.input("q", "f32", [count, headCount * headDim]);
  const branchCount = count * kvHeadCount;
  const byHead = b.node("Reshape", [q, b.ints([branchCount, group, headDim])]);
  const queries = b.nodes("Split", [byHead], branchCount, { axis: 0, num_outputs: branchCount });
  const outputs: Value[] = [];
  const sums: Value[] = [];
  for (const [branch, query] of queries.entries()) {
    const name = `${Math.floor(branch / kvHeadCount)}.${branch % kvHeadCount}`;
    const k = storedRows(b, kv, "k", name, [`t${name}`, headDim]);
    const v = storedRows(b, kv, "v", name, [`t${name}`, headDim]);
    const raw = b.node("ms.FusedMatMul", [query, floats(b, k)], {
      transB: 1,
      alpha: { f: 1 / Math.sqrt(headDim) },
    });
    const scores = scaled(b, raw, k);
    if (partial) {
      const part = partialSoftmax(b, scores, v);
      outputs.push(part.attended);
      sums.push(part.lse);
    } else outputs.push(weighted(b, b.node("Softmax", [scores], { axis: -1 }), v));
  }
  const emit = (name: string, parts: readonly Value[], width: number) => {
    const joined = b.node("Concat", parts, { axis: 0 });
    b.output(name, "f32", [count, width], b.node("Reshape", [joined, b.ints([count, width])]));
  };
  emit("attended", outputs, headCount * headDim);
  if (partial) emit("lse", sums, headCount);
  return b.build();
}
