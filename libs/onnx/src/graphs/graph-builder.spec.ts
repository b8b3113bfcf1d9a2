import { fromBinary } from "@bufbuild/protobuf";
import { onnx } from "@drover/proto";
import { expect, test } from "vitest";
import { GraphBuilder } from "./graph-builder.ts";

test("an output names the value itself, also where later nodes read it", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["a", 4]);
  const y = b.node("Relu", [x]);
  b.output("y", "f32", ["a", 4], y);
  b.output("z", "f32", ["a", 4], b.node("Neg", [y]));
  b.output("again", "f32", ["a", 4], x);
  const { graph } = fromBinary(onnx.ModelProtoSchema, b.build().model);
  expect(graph?.node.map((n) => [n.opType, ...n.input, ...n.output])).toEqual([
    ["Relu", "x", "y"],
    ["Neg", "y", "z"],
    ["Identity", "x", "again"],
  ]);
});

test("small tensors are inside the model, large ones beside it, and equal shapes are shared", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", [1, 1000]);
  const shape = b.ints([10, 100]);
  expect(b.ints([10, 100])).toBe(shape);
  b.output(
    "y",
    "f32",
    [10, 100],
    b.node("Add", [b.node("Reshape", [x, shape]), b.weight(new Float32Array(1000), [10, 100])]),
  );
  const { model, weights } = b.build();
  expect(weights.map(({ data }) => data.byteLength)).toEqual([4000]);
  expect(fromBinary(onnx.ModelProtoSchema, model).graph?.initializer.map((t) => t.dataLocation)).toEqual([0, 1]);
});
