import { assert } from "@drover/core";
import { type ExtentId, type KvGeometry, type KvKind, type KvStore, layerCountOf } from "@drover/kv";
import { SpareBuffers } from "./spare-buffers.ts";

export type KvShape = Readonly<{ kvHeadCount: number; headDim: number }>;

/** Rows of a run of positions: per KV head one contiguous [rows, d] view of keys and one of values. Good until extents change. */
export type HeadViews = Readonly<{ k: readonly Float32Array[]; v: readonly Float32Array[]; rowCount: number }>;

/** Keys and values of one extent: for each layer of its kind and each KV head a contiguous [capacity, d] block, so that any run of rows is fed without a copy. */
type Buffers = { readonly kind: KvKind; capacity: number; k: Float32Array[]; v: Float32Array[] };

/** The rows of a worker's KV, in this process's memory. What is in them and how much there may be, `KvCache` decides. */
export class ExtentStore implements KvStore {
  readonly #shape: KvShape;
  readonly #layerCounts: Readonly<Record<KvKind, number>>;
  readonly #extents = new Map<ExtentId, Buffers>();
  readonly #spares = new SpareBuffers();

  constructor(geometry: KvGeometry, shape: KvShape) {
    this.#shape = shape;
    this.#layerCounts = { global: layerCountOf(geometry, "global"), local: layerCountOf(geometry, "local") };
  }

  /** Bytes of all buffers in use. */
  get byteCount(): number {
    let bytes = 0;
    for (const { k } of this.#extents.values()) for (const layer of k) bytes += 2 * layer.byteLength;
    return bytes;
  }

  /** Bytes of so many rows in all layers of a kind. */
  bytesOf(kind: KvKind, rowCount: number): number {
    return 2 * Float32Array.BYTES_PER_ELEMENT * this.#layerCounts[kind] * this.#floats(rowCount);
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    assert(!this.#extents.has(extent), "an extent is allocated once");
    const layers = (): Float32Array[] =>
      Array.from({ length: this.#layerCounts[kind] }, () => this.#spares.take(this.#floats(capacityRows)));
    this.#extents.set(extent, { kind, capacity: capacityRows, k: layers(), v: layers() });
  }

  resize(extent: ExtentId, capacityRows: number): void {
    const buffers = this.#get(extent);
    const resized = (old: Float32Array): Float32Array => {
      const made = this.#spares.take(this.#floats(capacityRows));
      const kept = Math.min(buffers.capacity, capacityRows);
      this.#copy(old, buffers.capacity, 0, made, capacityRows, 0, kept);
      this.#spares.give(old);
      return made;
    };
    buffers.k = buffers.k.map(resized);
    buffers.v = buffers.v.map(resized);
    buffers.capacity = capacityRows;
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    const source = this.#get(from);
    const target = this.#get(to);
    for (const [old, made] of [
      [source.k, target.k],
      [source.v, target.v],
    ] as const) {
      for (const [layer, buffer] of made.entries()) {
        const rows = old[layer];
        assert(rows !== undefined, "extents of one kind have the same layers");
        this.#copy(rows, source.capacity, fromRow, buffer, target.capacity, toRow, rowCount);
      }
    }
  }

  free(extent: ExtentId): void {
    const { k, v } = this.#get(extent);
    for (const buffer of [...k, ...v]) this.#spares.give(buffer);
    this.#extents.delete(extent);
  }

  /** Stores row `source` of k_aK and v_aK, [a, KV*d] row-major, as row `row` of the extent's layer `layer`, counted within its kind. */
  write(extent: ExtentId, layer: number, row: number, k_aK: Float32Array, v_aK: Float32Array, source: number): void {
    const { kvHeadCount, headDim } = this.#shape;
    const { capacity, k, v } = this.#get(extent);
    const keys = k[layer];
    const values = v[layer];
    assert(keys !== undefined && values !== undefined && row < capacity, "a row is written where there is room for it");
    for (let head = 0; head < kvHeadCount; head++) {
      const from = (source * kvHeadCount + head) * headDim;
      const to = (head * capacity + row) * headDim;
      keys.set(k_aK.subarray(from, from + headDim), to);
      values.set(v_aK.subarray(from, from + headDim), to);
    }
  }

  /** Rows [firstRow, firstRow + rowCount) of one layer. */
  views(extent: ExtentId, layer: number, firstRow: number, rowCount: number): HeadViews {
    const { kvHeadCount, headDim } = this.#shape;
    const { capacity, k, v } = this.#get(extent);
    const cut = (buffer: Float32Array | undefined): Float32Array[] => {
      assert(buffer !== undefined && firstRow + rowCount <= capacity, "viewed rows are allocated");
      return Array.from({ length: kvHeadCount }, (_, head) => {
        const start = (head * capacity + firstRow) * headDim;
        return buffer.subarray(start, start + rowCount * headDim);
      });
    };
    return { k: cut(k[layer]), v: cut(v[layer]), rowCount };
  }

  /** Keys and values of each layer as they lie there, [KV heads, capacity, d]: views. */
  layers(extent: ExtentId): ReadonlyArray<Readonly<{ k: Float32Array; v: Float32Array }>> {
    const { k, v } = this.#get(extent);
    return k.map((keys, layer) => ({ k: keys, v: v[layer] ?? keys }));
  }

  #floats(rows: number): number {
    return rows * this.#shape.kvHeadCount * this.#shape.headDim;
  }

  #copy(
    from: Float32Array,
    fromCapacity: number,
    fromRow: number,
    to: Float32Array,
    toCapacity: number,
    toRow: number,
    rowCount: number,
  ): void {
    const { kvHeadCount, headDim } = this.#shape;
    for (let head = 0; head < kvHeadCount; head++) {
      const start = (head * fromCapacity + fromRow) * headDim;
      to.set(from.subarray(start, start + rowCount * headDim), (head * toCapacity + toRow) * headDim);
    }
  }

  #get(extent: ExtentId): Buffers {
    const buffers = this.#extents.get(extent);
    assert(buffers !== undefined, "an extent is used between its allocation and its end");
    return buffers;
  }
}
