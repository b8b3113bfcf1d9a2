import { at } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { type BuiltGraph, GraphBuilder, type Value } from "./graph-builder.ts";

/** A graph whose tensors are bound to memory, and the order in which they are. */
export type BoundGraph = Readonly<{ graph: BuiltGraph; inputs: readonly string[]; outputs: readonly string[] }>;

/**
 * Attention of `count` decoding rows, each over the cached rows of its own sequence: one operator a row, which stores the row's key and value among
 * them and attends to all.
 * Inputs: `q` [count, Q], `k` and `v` [count, K*d]; `before` and `total` [count], how many rows each has cached and that with its own; then of row i
 * `ki` and `vi` [1, K, capacity, d]. Outputs: `attended` [count, Q]; then the cached rows `new_ki` and `new_vi`, to be bound to the memory of the inputs.
 */
export function cachedAttentionGraph(dims: GraphDims, count: number): BoundGraph {
  const { headCount, kvHeadCount, headDim } = dims;
  const b = new GraphBuilder();
  const split = (from: Value) =>
    count === 1 ? [from] : b.nodes("Split", [from], count, { axis: 0, num_outputs: count });
  const rows = (name: string, headsOf: number) => {
    const width = headsOf * headDim;
    return split(b.node("Reshape", [b.input(name, "f32", [count, width]), b.ints([count, 1, width])]));
  };
  const [q, k, v] = [rows("q", headCount), rows("k", kvHeadCount), rows("v", kvHeadCount)];
  const [before, total] = [split(b.input("before", "i32", [count])), split(b.input("total", "i32", [count]))];
  const inputs = ["q", "k", "v", "before", "total"];
  const outputs = ["attended"];
  const attended: Value[] = [];
  const stored: Value[] = [];
  for (let i = 0; i < count; i++) {
    const shape = [1, kvHeadCount, `capacity${i}`, headDim];
    const cached = [b.input(`k${i}`, "f32", shape), b.input(`v${i}`, "f32", shape)];
    inputs.push(`k${i}`, `v${i}`);
    outputs.push(`new_k${i}`, `new_v${i}`);
    const [out, ...present] = b.nodes(
      "ms.GroupQueryAttention",
      [at(q, i), at(k, i), at(v, i), ...cached, at(before, i), at(total, i)],
      3,
      { num_heads: headCount, kv_num_heads: kvHeadCount, scale: { f: 1 / Math.sqrt(headDim) } },
    );
    attended.push(out);
    stored.push(...present);
  }
  const all = count === 1 ? at(attended, 0) : b.node("Concat", attended, { axis: 0 });
  b.output(
    "attended",
    "f32",
    [count, headCount * headDim],
    b.node("Reshape", [all, b.ints([count, headCount * headDim])]),
  );
  for (const [i, value] of stored.entries())
    b.output(at(outputs, i + 1), "f32", [1, kvHeadCount, `capacity_${i}`, headDim], value);
  return { graph: b.build("inline"), inputs, outputs };
}
