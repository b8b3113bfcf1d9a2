import { create, toBinary } from "@bufbuild/protobuf";
import { assert, type TupleOf, tupleOf } from "@drover/core";
import type { FileRange } from "@drover/llama4";
import { onnx } from "@drover/proto";
import { INLINE_BYTES_MAX } from "../limits.ts";

/** ONNX element types that Drover's graphs use. */
const ELEMENT_TYPE = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7 } as const;
export type ElementType = keyof typeof ELEMENT_TYPE;

/** A dimension: a size, or the name of one that is known at run time. */
export type Dim = number | string;

/** Integers go as ints; a float attribute is written `{ f: 1 }`. */
export type Attribute = number | string | readonly number[] | Readonly<{ f: number }>;

/** A finished graph: the serialized ModelProto and the weights that it names, in memory. */
export type BuiltGraph = Readonly<{
  model: Uint8Array;
  weights: ReadonlyArray<Readonly<{ path: string; data: Uint8Array }>>;
}>;

/** Where a mapped weight's bytes are. */
type MappedWeight = Readonly<{
  file: string;
  range: FileRange;
  prepared: Readonly<{ key: string; range: FileRange }> | null;
}>;

/** A value inside the graph, by its ONNX name. */
export type Value = string & { readonly value?: never };

/**
 * Writes one ONNX graph node by node. Weights are held, not copied.
 * Source: onnx/onnx.proto; operators of ai.onnx 21 and com.microsoft.
 */
export class GraphBuilder {
  readonly #graph = create(onnx.GraphProtoSchema, { name: "drover" });
  readonly #constants = new Map<string, Value>();
  /** Values that became outputs, by the name that they had. */
  readonly #renamed = new Map<Value, Value>();
  #serial = 0;

  input(name: string, type: ElementType, shape: readonly Dim[]): Value {
    this.#graph.input.push(valueInfo(name, type, shape));
    return name;
  }

  /**
   * Makes a value an output. The value takes the output's name, so that no copy stands between them; a value that has a name of its own
   * (an input, or another output) is passed through an Identity.
   */
  output(name: string, type: ElementType, shape: readonly Dim[], from: Value): void {
    this.#graph.output.push(valueInfo(name, type, shape));
    const producer = this.#graph.node.find((node) => node.output.includes(from));
    if (producer === undefined || this.#graph.output.some((output) => output.name === from)) {
      this.#graph.node.push(create(onnx.NodeProtoSchema, { opType: "Identity", input: [from], output: [name] }));
      return;
    }
    const renamed = (value: string) => (value === from ? name : value);
    for (const node of this.#graph.node) {
      node.input = node.input.map(renamed);
      node.output = node.output.map(renamed);
    }
    this.#renamed.set(from, name);
  }

  /** A weight, row-major f32. */
  weight(data: Float32Array, shape: readonly number[]): Value {
    assert(data.length === shape.reduce((a, b) => a * b, 1), "a weight's data has its shape's size");
    return this.#initializer(data, "f32", shape);
  }

  /** Quantized weights, as they are packed. */
  bytes(data: Uint8Array, shape: readonly number[]): Value {
    assert(data.length === shape.reduce((a, b) => a * b, 1), "packed weights have their shape's size");
    return this.#initializer(data, "u8", shape);
  }

  /**
   * A weight that stays in its file; `prepared` is what ONNX Runtime maps in place of its own packing of it, if that has the same key.
   * Source: ExternalDataInfo (onnxruntime 1.30), whose entries `prepacked_N` hold `key|offset;length;checksum`.
   */
  mapped(type: ElementType, shape: readonly number[], { file, range, prepared }: MappedWeight): Value {
    const name = this.#name();
    const dims = shape.map(BigInt);
    const tensor = create(onnx.TensorProtoSchema, { name, dims, dataType: ELEMENT_TYPE[type], dataLocation: 1 });
    tensor.externalData = externalData({
      // Sessions look for files below the root, and take no absolute path.
      location: file.replace(/^\//, ""),
      offset: String(range.offset),
      length: String(range.length),
      ...(prepared && { prepacked_0: `${prepared.key}|${prepared.range.offset};${prepared.range.length};0` }),
    });
    this.#graph.initializer.push(tensor);
    return name;
  }

  /** A small integer tensor such as a shape; equal ones are shared. */
  ints(values: readonly number[]): Value {
    const key = values.join(",");
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const made = this.#initializer(BigInt64Array.from(values, BigInt), "i64", [values.length]);
    this.#constants.set(key, made);
    return made;
  }

  node(opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const [out] = this.nodes(opType, inputs, 1, attributes);
    return out;
  }

  /** A node with so many outputs. `ms.` before the operator's name selects com.microsoft. */
  nodes<Count extends number>(
    opType: string,
    inputs: readonly Value[],
    outputCount: Count,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): TupleOf<Value, Count> {
    const contrib = opType.startsWith("ms.");
    const output = Array.from({ length: outputCount }, () => this.#name());
    this.#graph.node.push(
      create(onnx.NodeProtoSchema, {
        opType: contrib ? opType.slice(3) : opType,
        domain: contrib ? "com.microsoft" : "",
        input: inputs.map((value) => this.#renamed.get(value) ?? value),
        output,
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      }),
    );
    return tupleOf(output, outputCount);
  }

  /** `inline`: the model has all its weights but the mapped ones in it, which must be far below 2 GiB. */
  build(placement: "beside" | "inline" = "beside"): BuiltGraph {
    const weights = placement === "inline" ? [] : this.#external();
    const model = create(onnx.ModelProtoSchema, {
      irVersion: 10n,
      producerName: "drover",
      graph: this.#graph,
      opsetImport: [
        { domain: "", version: 21n },
        { domain: "com.microsoft", version: 1n },
      ],
    });
    return { model: toBinary(onnx.ModelProtoSchema, model), weights };
  }

  /**
   * Lets large weights travel beside the model: a ModelProto is limited to 2 GiB. A session takes either weights in memory or files, so beside mapped weights all
   * others are inline; those are norms, tables and a gate.
   */
  #external(): BuiltGraph["weights"] {
    const isMapped = this.#graph.initializer.some((tensor) => tensor.externalData.length > 0);
    if (isMapped) return [];
    const weights: { path: string; data: Uint8Array }[] = [];
    for (const tensor of this.#graph.initializer) {
      const { name, rawData } = tensor;
      if (rawData.length <= INLINE_BYTES_MAX) continue;
      weights.push({ path: name, data: rawData });
      tensor.rawData = new Uint8Array();
      tensor.dataLocation = 1;
      tensor.externalData = externalData({ location: name, offset: "0", length: String(rawData.length) });
    }
    return weights;
  }

  #name(): Value {
    this.#serial += 1;
    return `%${this.#serial}`;
  }

  #initializer(data: Float32Array | BigInt64Array | Uint8Array, type: ElementType, shape: readonly number[]): Value {
    const name = this.#name();
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const tensor = create(onnx.TensorProtoSchema, { name, dims: shape.map(BigInt), dataType: ELEMENT_TYPE[type] });
    tensor.rawData = bytes;
    this.#graph.initializer.push(tensor);
    return name;
  }
}

function externalData(entries: Readonly<Record<string, string>>) {
  return Object.entries(entries).map(([key, value]) => create(onnx.StringStringEntryProtoSchema, { key, value }));
}

function valueInfo(name: string, type: ElementType, shape: readonly Dim[]) {
  return create(onnx.ValueInfoProtoSchema, {
    name,
    type: {
      tensorType: {
        elemType: ELEMENT_TYPE[type],
        shape: { dim: shape.map((d) => (typeof d === "number" ? { dimValue: BigInt(d) } : { dimParam: d })) },
      },
    },
  });
}

function attribute(name: string, value: Attribute) {
  if (typeof value === "string") {
    return create(onnx.AttributeProtoSchema, { name, type: 3, s: new TextEncoder().encode(value) });
  }
  if (typeof value === "number") return create(onnx.AttributeProtoSchema, { name, type: 2, i: BigInt(value) });
  if (Array.isArray(value)) return create(onnx.AttributeProtoSchema, { name, type: 7, ints: value.map(BigInt) });
  return create(onnx.AttributeProtoSchema, { name, type: 1, f: (value as { f: number }).f });
}
