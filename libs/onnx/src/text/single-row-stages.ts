import type { KvKind } from "@drover/kv";
import type { GraphDims, MlpWeights } from "@drover/llama4";
import { BoundSession, boundCounts, boundFloats, type CachedTensors } from "../bound/bound-session.ts";
import type { Handle, NativeRuntime } from "../bound/native-runtime.ts";
import { singleRowGraph, type WholeLayer } from "../graphs/single-row.ts";
import type { LayerRows } from "../kv/extent-store.ts";
import type { SessionOptions } from "../session.ts";
import { linearBytes } from "../weights/linear-bytes.ts";

/** Layers that a single row passes in one run, and whether their last is a MoE layer. */
export type SingleRowStage = Readonly<{
  session: BoundSession;
  layers: readonly number[];
  isMoe: boolean;
  /** What it makes of the row. */
  out: Float32Array;
}>;

/** The memory that the stages of a single row read and write. One row is on its way through them at a time. */
export class SingleRowMemory implements Disposable {
  /** What the next stage begins with, [D], and what an exchange has added to it, [D]. */
  readonly x: Float32Array;
  readonly routed: Float32Array;
  /** By name, what graphs may take. */
  readonly tensors: ReadonlyMap<string, Handle>;
  readonly #runtime: NativeRuntime;
  readonly #qSize: number;
  /** Of global layers the queries' temperature, then ones for keys and values. */
  readonly #temperature: Float32Array;
  readonly #counts = { local: counters(), global: counters() };

  constructor(runtime: NativeRuntime, dims: GraphDims) {
    this.#runtime = runtime;
    this.#qSize = dims.headCount * dims.headDim;
    this.x = boundFloats(dims.hiddenSize);
    this.routed = boundFloats(dims.hiddenSize);
    this.#temperature = boundFloats(this.#qSize + 2 * dims.kvHeadCount * dims.headDim).fill(1);
    const tensor = (data: Float32Array | Int32Array, ...shape: readonly number[]) => runtime.createTensor(data, shape);
    const { local, global } = this.#counts;
    this.tensors = new Map([
      ["x", tensor(this.x, 1, 1, dims.hiddenSize)],
      ["routed", tensor(this.routed, 1, 1, dims.hiddenSize)],
      ["temperature", tensor(this.#temperature, this.#temperature.length)],
      ["before_local", tensor(local.before, 1)],
      ["total_local", tensor(local.total, 1)],
      ["before_global", tensor(global.before, 1)],
      ["total_global", tensor(global.total, 1)],
    ]);
  }

  /** Says how many rows are cached before the step's in layers of a kind. */
  place(kind: KvKind, countBefore: number): void {
    this.#counts[kind].before[0] = countBefore;
    this.#counts[kind].total[0] = countBefore + 1;
  }

  /** Sets the queries' temperature in global layers. */
  heat(temperature: number): void {
    this.#temperature.fill(temperature, 0, this.#qSize);
  }

  [Symbol.dispose](): void {
    for (const tensor of this.tensors.values()) this.#runtime.releaseTensor(tensor);
  }
}

function counters() {
  return { before: boundCounts(1), total: boundCounts(1) };
}

/** The stages of a single row, in order, with their memory. */
export class SingleRowStages implements Disposable {
  readonly memory: SingleRowMemory;
  readonly stages: readonly SingleRowStage[];
  readonly #runtime: NativeRuntime;
  readonly #dims: GraphDims;
  readonly #outs: readonly Handle[];

  constructor(memory: SingleRowMemory, runtime: NativeRuntime, dims: GraphDims, made: readonly MadeStage[]) {
    this.memory = memory;
    this.stages = made.map(({ stage }) => stage);
    this.#outs = made.map(({ outTensor }) => outTensor);
    this.#runtime = runtime;
    this.#dims = dims;
  }

  /** Runs a stage, which stores the row's keys and values among those of its layers. Its result is good until it runs again. */
  run({ session, layers, out }: SingleRowStage, rowsOf: (layer: number) => LayerRows): Float32Array {
    const { kvHeadCount, headDim } = this.#dims;
    for (const [i, layer] of layers.entries()) session.bind(i, rowsOf(layer), kvHeadCount, headDim);
    session.run();
    return out;
  }

  [Symbol.dispose](): void {
    for (const { session } of this.stages) session[Symbol.dispose]();
    for (const tensor of this.#outs) this.#runtime.releaseTensor(tensor);
    this.memory[Symbol.dispose]();
  }
}

type MadeStage = Readonly<{ stage: SingleRowStage; outTensor: Handle }>;

/**
 * Makes the stages of a single row while a model's layers are loaded. Their sessions have packed weights of their own beside those of the stages for
 * any number of rows. So they are for small models alone, of which a step takes hardly longer than what calling sessions costs; where reading the
 * weights takes long, it hides that.
 */
export class SingleRowLoader {
  readonly #cached: CachedTensors;
  readonly #dims: GraphDims;
  readonly #bytesMax: number;
  readonly #options: SessionOptions;
  readonly #memory: SingleRowMemory;
  readonly #made: MadeStage[] = [];
  #pending: WholeLayer[] = [];
  #bytes = 0;

  /** `bytesMax`: of the weights. Of a model that has more there are no such stages. */
  constructor(cached: CachedTensors, dims: GraphDims, bytesMax: number, options: SessionOptions) {
    this.#cached = cached;
    this.#dims = dims;
    this.#bytesMax = bytesMax;
    this.#options = options;
    this.#memory = new SingleRowMemory(cached.runtime, dims);
  }

  /** The next layer. Beyond the bound, nothing more is kept. */
  add(layer: WholeLayer): void {
    if (this.#isOver) return;
    this.#bytes += layerBytes(layer);
    if (this.#isOver) {
      this.#end()[Symbol.dispose]();
      this.#pending = [];
      return;
    }
    this.#pending.push(layer);
    if (layer.mlp.kind === "moe") this.#close();
  }

  /** All stages, in order; undefined where there are none. */
  finish(): SingleRowStages | undefined {
    if (this.#isOver) return undefined;
    this.#close();
    return this.#end();
  }

  get #isOver(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  #end(): SingleRowStages {
    return new SingleRowStages(this.#memory, this.#cached.runtime, this.#dims, this.#made);
  }

  #close(): void {
    const layers = this.#pending;
    const last = layers.at(-1);
    if (last === undefined) return;
    const { hiddenSize } = this.#dims;
    const out = boundFloats(
      last.mlp.kind === "dense" ? hiddenSize : 1 + hiddenSize * (last.mlp.shared === null ? 3 : 2),
    );
    const outTensor = this.#cached.runtime.createTensor(out, [1, 1, out.length]);
    const session = new BoundSession(
      `single row to ${last.layer}`,
      singleRowGraph(this.#dims, layers, this.#made.length > 0),
      new Map([...this.#memory.tensors, ["out", outTensor]]),
      this.#cached,
      this.#options,
    );
    const isMoe = last.mlp.kind === "moe";
    this.#made.push({ stage: { session, layers: layers.map(({ layer }) => layer), isMoe, out }, outTensor });
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
