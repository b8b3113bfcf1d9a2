import { assert, at, type HostKvDtype, type SegmentRows } from "@drover/core";
import { type ExtentId, type KvGeometry, type KvKind, layerCountOf } from "@drover/kv";
import type { SequenceStorage } from "@drover/sequences";
import { type HeadViews, headViews } from "../attention/head-views.ts";
import { KvLayout, type KvRows, type KvShape } from "./kv-rows.ts";
import { SpareBuffers } from "./spare-buffers.ts";

/** Keys and values of one layer of an extent. */
export type LayerRows = Readonly<{ k: KvRows; v: KvRows }>;

/** One extent: its rows in each layer of its kind. */
type Buffers = { readonly kind: KvKind; capacity: number; layers: readonly LayerRows[] };

/** The rows of a worker's KV, in this process's memory. What is in them and how much there may be, `KvCache` decides. */
export class ExtentStore implements SequenceStorage {
  readonly geometry: KvGeometry;
  readonly layout: KvLayout;
  readonly #layerCounts: Readonly<Record<KvKind, number>>;
  readonly #extents = new Map<ExtentId, Buffers>();
  readonly #spares: SpareBuffers;

  constructor(geometry: KvGeometry, shape: KvShape) {
    this.geometry = geometry;
    this.layout = new KvLayout(shape);
    this.#spares = new SpareBuffers(this.layout);
    this.#layerCounts = { global: layerCountOf(geometry, "global"), local: layerCountOf(geometry, "local") };
  }

  get dtype(): HostKvDtype {
    return this.layout.dtype;
  }

  /** Bytes of all buffers in use. */
  get byteCount(): number {
    let bytes = 0;
    for (const { layers } of this.#extents.values())
      for (const { k, v } of layers) bytes += k.bytes.byteLength + v.bytes.byteLength;
    return bytes;
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    assert(!this.#extents.has(extent), "an extent is allocated once");
    const layers = Array.from({ length: this.#layerCounts[kind] }, () => ({
      k: this.#spares.take(capacityRows),
      v: this.#spares.take(capacityRows),
    }));
    this.#extents.set(extent, { kind, capacity: capacityRows, layers });
  }

  resize(extent: ExtentId, capacityRows: number): void {
    const buffers = this.#get(extent);
    const { capacity } = buffers;
    const kept = Math.min(capacity, capacityRows);
    const resized = (old: KvRows): KvRows => {
      const made = this.#spares.take(capacityRows);
      this.#copy(old, capacity, 0, made, capacityRows, 0, kept);
      this.#spares.give(old, capacity);
      return made;
    };
    buffers.layers = buffers.layers.map(({ k, v }) => ({ k: resized(k), v: resized(v) }));
    buffers.capacity = capacityRows;
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    const source = this.#get(from);
    const target = this.#get(to);
    for (const [layer, made] of target.layers.entries()) {
      const old = source.layers[layer];
      assert(old !== undefined, "extents of one kind have the same layers");
      this.#copy(old.k, source.capacity, fromRow, made.k, target.capacity, toRow, rowCount);
      this.#copy(old.v, source.capacity, fromRow, made.v, target.capacity, toRow, rowCount);
    }
  }

  free(extent: ExtentId): void {
    const { capacity, layers } = this.#get(extent);
    for (const { k, v } of layers) {
      this.#spares.give(k, capacity);
      this.#spares.give(v, capacity);
    }
    this.#extents.delete(extent);
  }

  /** Stores row `source` of k_aKd and v_aKd, [a, K*d] row-major, as row `row` of the extent's layer `layer`, counted within its kind. */
  write(extent: ExtentId, layer: number, row: number, k_aKd: Float32Array, v_aKd: Float32Array, source: number): void {
    const { kvHeadCount, headDim } = this.layout;
    const { capacity, layers } = this.#get(extent);
    const rows = layers[layer];
    assert(rows !== undefined && row < capacity, "a row is written where there is room for it");
    for (let head = 0; head < kvHeadCount; head++) {
      const from = (source * kvHeadCount + head) * headDim;
      this.layout.write(rows.k, head * capacity + row, k_aKd, from);
      this.layout.write(rows.v, head * capacity + row, v_aKd, from);
    }
  }

  /** Rows [firstRow, firstRow + rowCount) of one layer. */
  views(extent: ExtentId, layer: number, firstRow: number, rowCount: number): HeadViews {
    const { capacity, layers } = this.#get(extent);
    const rows = layers[layer];
    assert(rows !== undefined && firstRow + rowCount <= capacity, "viewed rows are allocated");
    return headViews(this.layout, rows, capacity, firstRow, rowCount);
  }

  /** Keys and values of one layer, all rows for which there is room. */
  rows(extent: ExtentId, layer: number): LayerRows {
    return at(this.#get(extent).layers, layer);
  }

  /** Views of the buffers: nothing is copied. */
  async read(extent: ExtentId): Promise<SegmentRows["layers"]> {
    return this.#get(extent).layers.map(({ k, v }) => ({ k: k.bytes, v: v.bytes }));
  }

  #copy(
    from: KvRows,
    fromCapacity: number,
    fromRow: number,
    to: KvRows,
    toCapacity: number,
    toRow: number,
    rowCount: number,
  ): void {
    for (let head = 0; head < this.layout.kvHeadCount; head++)
      this.layout.copy(from, head * fromCapacity + fromRow, to, head * toCapacity + toRow, rowCount);
  }

  #get(extent: ExtentId): Buffers {
    const buffers = this.#extents.get(extent);
    assert(buffers !== undefined, "an extent is used between its allocation and its end");
    return buffers;
  }
}
