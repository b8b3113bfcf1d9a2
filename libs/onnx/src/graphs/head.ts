import type { GraphDims, LinearWeight } from "@drover/llama4";
import { flatOutput, linear, rmsNorm } from "./blocks.ts";
import { type BuiltGraph, GraphBuilder } from "./graph-builder.ts";

/**
 * The output head on r rows: final norm, logits, and only what is asked for leaves the session.
 * Inputs: `x` [r, D]; `top_count` [1]; `asked` [r] token ids; `full_rows` [f] indices of rows whose whole logits a sampler needs.
 * Its output `out` holds, one behind another: the top values and their ids [r, top_count], best first; the log-sum-exp [r]; the asked ids' logits [r]; the
 * full rows [f, V]. Ids are whole numbers in f32.
 */
export function headGraph(dims: GraphDims, weights: Readonly<{ norm: Float32Array; head: LinearWeight }>): BuiltGraph {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["r", dims.hiddenSize]);
  const topCount = b.input("top_count", "i64", [1]);
  const asked = b.input("asked", "i64", ["r"]);
  const fullRows = b.input("full_rows", "i64", ["f"]);
  const logits = linear(b, rmsNorm(b, x, weights.norm, dims.rmsNormEps), weights.head, dims.vocabSize, dims.hiddenSize);
  const [values, ids] = b.nodes("TopK", [logits, topCount], 2, { axis: 1, largest: 1, sorted: 1 });
  const peak = b.node("ReduceMax", [logits, b.ints([1])], { keepdims: 1 });
  const total = b.node("ReduceSum", [b.node("Exp", [b.node("Sub", [logits, peak])]), b.ints([1])], { keepdims: 1 });
  const lse = b.node("Add", [b.node("Log", [total]), peak]);
  const askedLogits = b.node("GatherElements", [logits, b.node("Unsqueeze", [asked, b.ints([1])])], { axis: 1 });
  const full = b.node("Gather", [logits, fullRows], { axis: 0 });
  flatOutput(b, [values, b.node("Cast", [ids], { to: 1 }), lse, askedLogits, full]);
  return b.build();
}
