import { assert, at } from "@drover/core";
import type { KvKind } from "@drover/kv";
import type { GraphDims, LinearWeight, MlpWeights } from "@drover/llama4";
import { type BoundName, type SingleRowGraph, singleRowGraph, type WholeLayer } from "../graphs/single-row.ts";
import type { LayerRows } from "../kv/extent-store.ts";
import type { KvRows } from "../kv/kv-rows.ts";
import type { Handle, NativeNames, NativeRuntime } from "../native-runtime.ts";
import type { SessionOptions } from "../session.ts";

/** Layers that a single row passes in one run, and whether their last is a MoE layer. */
export type SingleRowStage = Readonly<{
  session: Handle;
  layers: readonly number[];
  isMoe: boolean;
  inputs: Bound<BoundName>;
  outputs: Bound<string>;
  /** What it makes of the row. */
  out: Float32Array;
}>;

/** Names and the tensors that are bound to them. */
type Bound<Name> = Readonly<{ list: readonly Name[]; names: NativeNames; tensors: BigUint64Array }>;

/** The stages of a single row, with the memory that they read and write. One row is on its way through them at a time. */
export class SingleRowStages implements Disposable {
  /** What the next stage begins with, [D], and what an exchange has added to it, [D]. */
  readonly x: Float32Array;
  readonly routed: Float32Array;
  /** Of global layers the queries' temperature, then ones for keys and values. */
  readonly #temperature: Float32Array;
  readonly stages: readonly SingleRowStage[];
  readonly #runtime: NativeRuntime;
  readonly #dims: GraphDims;
  readonly #counts = { local: [counter(), counter()], global: [counter(), counter()] } as const;
  /** Tensors over what of the above a graph may name. */
  readonly #own: ReadonlyMap<string, Handle>;
  readonly #cached = new WeakMap<KvRows, Handle>();
  readonly #forgotten: FinalizationRegistry<Handle>;

  constructor(runtime: NativeRuntime, dims: GraphDims, made: readonly MadeStage[]) {
    this.#runtime = runtime;
    this.#dims = dims;
    this.#forgotten = new FinalizationRegistry((tensor) => runtime.releaseTensor(tensor));
    this.x = floats(dims.hiddenSize);
    this.routed = floats(dims.hiddenSize);
    this.#temperature = floats((dims.headCount + 2 * dims.kvHeadCount) * dims.headDim).fill(1);
    const row = [1, 1, dims.hiddenSize];
    const { local, global } = this.#counts;
    this.#own = new Map([
      ["x", runtime.createTensor(this.x, row)],
      ["routed", runtime.createTensor(this.routed, row)],
      ["temperature", runtime.createTensor(this.#temperature, [this.#temperature.length])],
      ["before_local", runtime.createTensor(local[0], [1])],
      ["total_local", runtime.createTensor(local[1], [1])],
      ["before_global", runtime.createTensor(global[0], [1])],
      ["total_global", runtime.createTensor(global[1], [1])],
    ]);
    this.stages = made.map((stage) => this.#bind(stage));
  }

  /** Says how many rows are cached before the step's in layers of a kind. */
  place(kind: KvKind, countBefore: number): void {
    const [before, total] = this.#counts[kind];
    before[0] = countBefore;
    total[0] = countBefore + 1;
  }

  /** Sets the queries' temperature in global layers. */
  heat(temperature: number): void {
    this.#temperature.fill(temperature, 0, this.#dims.headCount * this.#dims.headDim);
  }

  /** Runs a stage, which stores the row's keys and values among those of its layers. Its result is good until it runs again. */
  run(stage: SingleRowStage, rowsOf: (layer: number) => LayerRows): Float32Array {
    const { session, layers, inputs, outputs, out } = stage;
    const firstCached = inputs.tensors.length - 2 * layers.length;
    for (const [i, layer] of layers.entries()) {
      const { k, v } = rowsOf(layer);
      for (const [j, rows] of [k, v].entries()) {
        const tensor = this.#tensorOf(rows);
        inputs.tensors[firstCached + 2 * i + j] = tensor;
        outputs.tensors[1 + 2 * i + j] = tensor;
      }
    }
    this.#runtime.run(session, inputs, outputs);
    return out;
  }

  /** Cached rows are written in the buffer that they are read from. */
  #tensorOf(rows: KvRows): Handle {
    const known = this.#cached.get(rows);
    if (known !== undefined) return known;
    const { kvHeadCount, headDim } = this.#dims;
    assert(rows.rows instanceof Float32Array, "a single row's stages attend to rows of f32");
    const capacity = rows.rows.length / (kvHeadCount * headDim);
    const tensor = this.#runtime.createTensor(rows.rows, [1, kvHeadCount, capacity, headDim]);
    this.#cached.set(rows, tensor);
    this.#forgotten.register(rows, tensor);
    return tensor;
  }

  #bind({ session, graph: { inputs, outputs }, layers, isMoe, outSize }: MadeStage): SingleRowStage {
    const out = floats(outSize);
    const bound = <Name extends string>(list: readonly Name[]): Bound<Name> => ({
      list,
      names: this.#runtime.names(list),
      tensors: BigUint64Array.from(list, (name) => this.#own.get(name) ?? 0n),
    });
    const boundOutputs = bound(outputs);
    boundOutputs.tensors[0] = this.#runtime.createTensor(out, [1, 1, outSize]);
    return { session, layers, isMoe, inputs: bound(inputs), outputs: boundOutputs, out };
  }

  [Symbol.dispose](): void {
    for (const { session, outputs } of this.stages) {
      this.#runtime.releaseSession(session);
      this.#runtime.releaseTensor(at(outputs.tensors, 0));
    }
    for (const tensor of this.#own.values()) this.#runtime.releaseTensor(tensor);
  }
}

/** Memory that stays where it is: a small typed array without a buffer of its own may be moved. */
function floats(length: number): Float32Array {
  return new Float32Array(new ArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

function counter(): Int32Array {
  return new Int32Array(new ArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

type MadeStage = Readonly<{
  session: Handle;
  graph: SingleRowGraph;
  layers: readonly number[];
  isMoe: boolean;
  outSize: number;
}>;

/**
 * Makes the stages of a single row while a model's layers are loaded. Their sessions have packed weights of their own beside those of the stages for
 * any number of rows. So they are for small models alone, of which a step takes hardly longer than what calling sessions costs; where reading the
 * weights takes long, it hides that.
 */
export class SingleRowLoader {
  readonly #runtime: NativeRuntime | undefined;
  readonly #dims: GraphDims;
  readonly #bytesMax: number;
  readonly #options: SessionOptions;
  readonly #made: MadeStage[] = [];
  #pending: WholeLayer[] = [];
  #bytes = 0;

  /** `bytesMax`: of the weights. Of a model that has more there are no such stages, nor are there without a runtime. */
  constructor(runtime: NativeRuntime | undefined, dims: GraphDims, bytesMax: number, options: SessionOptions) {
    this.#runtime = runtime;
    this.#dims = dims;
    this.#bytesMax = bytesMax;
    this.#options = options;
  }

  /** The next layer. Beyond the bound, nothing more is kept. */
  add(layer: WholeLayer): void {
    if (this.#runtime === undefined || this.#isOver) return;
    this.#bytes += layerBytes(layer);
    if (this.#isOver) {
      for (const { session } of this.#made) this.#runtime.releaseSession(session);
      this.#pending = [];
      return;
    }
    this.#pending.push(layer);
    if (layer.mlp.kind === "moe") this.#close(this.#runtime);
  }

  /** All stages, in order; undefined where there are none. */
  finish(): SingleRowStages | undefined {
    if (this.#runtime === undefined || this.#isOver) return undefined;
    this.#close(this.#runtime);
    return new SingleRowStages(this.#runtime, this.#dims, this.#made);
  }

  get #isOver(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  #close(runtime: NativeRuntime): void {
    const layers = this.#pending;
    const last = layers.at(-1);
    if (last === undefined) return;
    const graph = singleRowGraph(this.#dims, layers, this.#made.length > 0);
    const session = runtime.createSession(`single row to ${last.layer}`, graph.graph, this.#options);
    const { hiddenSize } = this.#dims;
    const isMoe = last.mlp.kind === "moe";
    const outSize = last.mlp.kind === "dense" ? hiddenSize : 1 + hiddenSize * (last.mlp.shared === null ? 3 : 2);
    this.#made.push({ session, graph, layers: layers.map(({ layer }) => layer), isMoe, outSize });
    this.#pending = [];
  }
}

function layerBytes({ attention, output, mlp }: WholeLayer): number {
  const own = linearBytes(attention.qkv) + linearBytes(output);
  if (mlp.kind === "dense") return own + mlpBytes(mlp.weights);
  return own + linearBytes(mlp.gate) + (mlp.shared === null ? 0 : mlpBytes(mlp.shared));
}

function mlpBytes({ gateUp, down }: MlpWeights): number {
  return linearBytes(gateUp) + linearBytes(down);
}

function linearBytes(weight: LinearWeight): number {
  switch (weight.kind) {
    case "f32":
      return weight.data.byteLength;
    case "quantized":
      return weight.packed.byteLength + weight.scales.byteLength;
    case "mapped":
      return weight.parts.reduce((sum, { packed, scales }) => sum + packed.length + scales.length, 0);
  }
}
