import { assert } from "@drover/core";
import type { BoundGraph } from "../graphs/cached-attention.ts";
import type { LayerRows } from "../kv/extent-store.ts";
import type { KvRows } from "../kv/kv-rows.ts";
import type { SessionOptions } from "../session.ts";
import type { Handle, NativeNames, NativeRuntime } from "./native-runtime.ts";

/** Tensors over cached rows, made once for each buffer and forgotten with it. */
export class CachedTensors {
  readonly runtime: NativeRuntime;
  readonly #tensors = new WeakMap<KvRows, Handle>();
  readonly #forgotten: FinalizationRegistry<Handle>;

  constructor(runtime: NativeRuntime) {
    this.runtime = runtime;
    this.#forgotten = new FinalizationRegistry((tensor) => runtime.releaseTensor(tensor));
  }

  /** All rows of a buffer, [1, K, capacity, d]. */
  of(rows: KvRows, kvHeadCount: number, headDim: number): Handle {
    const known = this.#tensors.get(rows);
    if (known !== undefined) return known;
    assert(rows.rows instanceof Float32Array, "rows that are attended to in place are kept as f32");
    const capacity = rows.rows.length / (kvHeadCount * headDim);
    const tensor = this.runtime.createTensor(rows.rows, [1, kvHeadCount, capacity, headDim]);
    this.#tensors.set(rows, tensor);
    this.#forgotten.register(rows, tensor);
    return tensor;
  }
}

/** A session whose tensors stay bound to memory from run to run, those of cached rows aside. */
export class BoundSession implements Disposable {
  readonly #cached: CachedTensors;
  readonly #session: Handle;
  readonly #inputs: Bound;
  readonly #outputs: Bound;
  readonly #firstCached: number;

  /** `tensors`: of all inputs and outputs but the cached rows, by name. They must live as long. Errors: `internal`, naming the graph. */
  constructor(
    name: string,
    { graph, inputs, outputs }: BoundGraph,
    tensors: ReadonlyMap<string, Handle>,
    cached: CachedTensors,
    options: SessionOptions,
  ) {
    const { runtime } = cached;
    this.#cached = cached;
    this.#session = runtime.createSession(name, graph, options);
    this.#firstCached = inputs.length - (outputs.length - 1);
    const handle = (tensor: string, i: number, firstCached: number) => {
      const known = tensors.get(tensor);
      assert(known !== undefined || i >= firstCached, "every tensor but those of cached rows is bound");
      return known ?? 0n;
    };
    const bound = (names: readonly string[], firstCached: number): Bound => ({
      names: runtime.names(names),
      tensors: BigUint64Array.from(names, (each, i) => handle(each, i, firstCached)),
    });
    this.#inputs = bound(inputs, this.#firstCached);
    this.#outputs = bound(outputs, 1);
  }

  /** Binds the graph's place `index` for cached rows, [K, capacity, d] each. */
  bind(index: number, { k, v }: LayerRows, kvHeadCount: number, headDim: number): void {
    for (const [i, rows] of [k, v].entries()) {
      const tensor = this.#cached.of(rows, kvHeadCount, headDim);
      this.#inputs.tensors[this.#firstCached + 2 * index + i] = tensor;
      this.#outputs.tensors[1 + 2 * index + i] = tensor;
    }
  }

  /** Runs on the calling thread. Errors: `internal`, with what ONNX Runtime says. */
  run(): void {
    this.#cached.runtime.run(this.#session, this.#inputs, this.#outputs);
  }

  [Symbol.dispose](): void {
    this.#cached.runtime.releaseSession(this.#session);
  }
}

type Bound = Readonly<{ names: NativeNames; tensors: BigUint64Array }>;

/** Memory of a tensor, which stays where it is: a small typed array without a buffer of its own may be moved. */
export function boundFloats(length: number): Float32Array {
  return new Float32Array(new ArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

/** Like {@link boundFloats}, for counts. */
export function boundCounts(length: number): Int32Array {
  return new Int32Array(new ArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
