import { fromBinary } from "@bufbuild/protobuf";
import type { FileRange, LinearWeight } from "@drover/llama4";
import { onnx } from "@drover/proto";
import { linear } from "./blocks.ts";
import { type BuiltGraph, GraphBuilder } from "./graph-builder.ts";

/** One packed weight of a saved graph: ONNX Runtime's key of its bytes, and where it has written them. */
export type PreparedWeight = Readonly<{ key: string; range: FileRange }>;

/**
 * What a session that saved its graph has packed, by initializer. Weights that a kernel takes as they are, or packs into several buffers, are left out.
 * Source: ExternalDataInfo::WritePrepackedToFileAndAddToProto (onnxruntime 1.30).
 */
export function readPrepared(savedModel: Uint8Array): PreparedWeight[] {
  const initializers = fromBinary(onnx.ModelProtoSchema, savedModel).graph?.initializer ?? [];
  return initializers.flatMap(({ externalData }) => {
    const [entry, ...others] = externalData.filter(({ key }) => key.startsWith("prepacked_"));
    const [, key, offset, length] = /^([^|]+)\|(\d+);(\d+);\d+$/.exec(entry?.value ?? "") ?? [];
    if (others.length > 0 || key === undefined) return [];
    return [{ key, range: { offset: Number(offset), length: Number(length) } }];
  });
}

/** One Linear by itself, x [a, in] to y [a, out]: for packing its weight as every graph that has it would. */
export function linearGraph(weight: LinearWeight, outSize: number, inSize: number): BuiltGraph {
  const b = new GraphBuilder();
  const x = b.input("x", "f32", ["a", inSize]);
  b.output("y", "f32", ["a", outSize], linear(b, x, weight, outSize, inSize));
  return b.build();
}
