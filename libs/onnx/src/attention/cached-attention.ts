import { at } from "@drover/core";
import type { KvKind } from "@drover/kv";
import type { GraphDims } from "@drover/llama4";
import { BoundSession, boundCounts, boundFloats, type CachedTensors } from "../bound/bound-session.ts";
import type { Handle } from "../bound/native-runtime.ts";
import { cachedAttentionGraph } from "../graphs/cached-attention.ts";
import type { SessionOptions } from "../session.ts";
import type { SequenceRows } from "./sequence-rows.ts";

/** Rows in one run, largest first. */
const BATCH_SIZES = [32, 16, 8, 4, 2, 1] as const;

/** A row of the step that decodes a sequence whose rows are in one run. */
export type CachedRow = Readonly<{ row: number; rows: Pick<SequenceRows, "countBefore" | "cachedRows"> }>;

/** A step's queries [a, Q], keys and values [a, K*d] of one layer. */
export type LayerQueries = readonly [q_aQ: Float32Array, k_aKd: Float32Array, v_aKd: Float32Array];

/** Attention of decoding rows, each over the cached rows of its sequence, in place: nothing is fed, and a row's key and value are stored by the run. */
export class CachedAttention implements Disposable {
  readonly #dims: GraphDims;
  readonly #cached: CachedTensors;
  readonly #options: SessionOptions;
  readonly #batches = new Map<number, Batch>();

  constructor(dims: GraphDims, cached: CachedTensors, options: SessionOptions) {
    this.#dims = dims;
    this.#cached = cached;
    this.#options = options;
  }

  /** Stores the rows' keys and values, and writes what comes of their queries into attended_aQ. */
  attend(
    rows: readonly CachedRow[],
    layer: number,
    kind: KvKind,
    queries: LayerQueries,
    attended_aQ: Float32Array,
  ): void {
    let done = 0;
    for (const size of BATCH_SIZES) {
      for (; rows.length - done >= size; done += size)
        this.#batch(size).run(rows.slice(done, done + size), layer, kind, queries, attended_aQ);
    }
  }

  #batch(size: number): Batch {
    const known = this.#batches.get(size);
    if (known !== undefined) return known;
    const made = new Batch(this.#dims, size, this.#cached, this.#options);
    this.#batches.set(size, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const batch of this.#batches.values()) batch[Symbol.dispose]();
  }
}

/** The session of so many rows, with its memory. */
class Batch implements Disposable {
  readonly #dims: GraphDims;
  readonly #cached: CachedTensors;
  readonly #queries: LayerQueries;
  readonly #before: Int32Array;
  readonly #total: Int32Array;
  readonly #attended: Float32Array;
  readonly #tensors: ReadonlyMap<string, Handle>;
  readonly #session: BoundSession;

  constructor(dims: GraphDims, size: number, cached: CachedTensors, options: SessionOptions) {
    this.#dims = dims;
    this.#cached = cached;
    const [qSize, kvSize] = [dims.headCount * dims.headDim, dims.kvHeadCount * dims.headDim];
    this.#queries = [boundFloats(size * qSize), boundFloats(size * kvSize), boundFloats(size * kvSize)];
    this.#before = boundCounts(size);
    this.#total = boundCounts(size);
    this.#attended = boundFloats(size * qSize);
    const tensor = (data: Float32Array | Int32Array, ...shape: readonly number[]) =>
      cached.runtime.createTensor(data, shape);
    const [q, k, v] = this.#queries;
    this.#tensors = new Map([
      ["q", tensor(q, size, qSize)],
      ["k", tensor(k, size, kvSize)],
      ["v", tensor(v, size, kvSize)],
      ["before", tensor(this.#before, size)],
      ["total", tensor(this.#total, size)],
      ["attended", tensor(this.#attended, size, qSize)],
    ]);
    const graph = cachedAttentionGraph(dims, size);
    this.#session = new BoundSession(`cached attention of ${size}`, graph, this.#tensors, cached, options);
  }

  run(rows: readonly CachedRow[], layer: number, kind: KvKind, queries: LayerQueries, attended_aQ: Float32Array): void {
    const { kvHeadCount, headDim } = this.#dims;
    for (const [i, own] of this.#queries.entries()) {
      const from = at(queries, i);
      const width = own.length / rows.length;
      for (const [place, { row }] of rows.entries())
        own.set(from.subarray(row * width, (row + 1) * width), place * width);
    }
    for (const [place, { rows: sequence }] of rows.entries()) {
      const before = sequence.countBefore(kind);
      this.#before[place] = before;
      this.#total[place] = before + 1;
      this.#session.bind(place, sequence.cachedRows(layer), kvHeadCount, headDim);
    }
    this.#session.run();
    const width = this.#attended.length / rows.length;
    for (const [place, { row }] of rows.entries())
      attended_aQ.set(this.#attended.subarray(place * width, (place + 1) * width), row * width);
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
    for (const tensor of this.#tensors.values()) this.#cached.runtime.releaseTensor(tensor);
  }
}
