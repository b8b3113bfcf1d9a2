import { assert, type KvSequence } from "@drover/core";
import { firstLocalRow, type KvGeometry, kvBytes, segmentCapacity, segmentRowsOf } from "@drover/kv";
import type { KvPool } from "./kv-pool.ts";

/** Keys and values of a run of rows: per KV head one contiguous [capacity, d] block, so that any leading view is fed without a copy. */
type Segment = { readonly firstRow: number; capacity: number; k: Float32Array; v: Float32Array };

/** A read-only view of one head's first rows. */
export type HeadViews = Readonly<{ k: readonly Float32Array[]; v: readonly Float32Array[]; rowCount: number }>;

export type KvShape = Readonly<{ kvHeadCount: number; headDim: number }>;

/** One sequence's KV in this process's memory. Rows beyond `length` belong to a step that may still be abandoned. */
export class StoredSequence implements KvSequence {
  readonly #pool: KvPool;
  readonly #geometry: KvGeometry;
  readonly #shape: KvShape;
  readonly #layers: Segment[][];
  #length = 0;
  #reserved = 0;

  constructor(pool: KvPool, geometry: KvGeometry, shape: KvShape) {
    this.#pool = pool;
    this.#geometry = geometry;
    this.#shape = shape;
    this.#layers = geometry.isGlobalLayer.map(() => []);
  }

  get length(): number {
    return this.#length;
  }

  get byteCount(): number {
    return kvBytes(this.#geometry, this.#length, Math.max(this.#length, this.#reserved));
  }

  /** Allocates rows [length, length + rowCount) in every layer, or nothing at all. */
  reserve(rowCount: number): boolean {
    const end = this.#length + rowCount;
    if (end <= this.#reserved) return true;
    // A tail that grows is copied: for a moment both buffers exist, the old one as one layer's tail.
    if (!this.#pool.has(kvBytes(this.#geometry, this.#length, end) - this.byteCount)) return false;
    for (const [layer, segments] of this.#layers.entries()) this.#grow(segments, this.#isGlobal(layer), end);
    this.#reserved = end;
    return true;
  }

  /** Stores rows [from, to) of k_aK and v_aK ([a, KV*d] row-major, this sequence's rows starting at row `offset`) at positions length + .... */
  append(layer: number, k_aK: Float32Array, v_aK: Float32Array, offset: number, rowCount: number): void {
    const { kvHeadCount, headDim } = this.#shape;
    const width = kvHeadCount * headDim;
    for (let i = 0; i < rowCount; i++) {
      const position = this.#length + i;
      const segment = this.#segmentAt(layer, position);
      const row = position - segment.firstRow;
      for (let head = 0; head < kvHeadCount; head++) {
        const source = (offset + i) * width + head * headDim;
        const target = (head * segment.capacity + row) * headDim;
        segment.k.set(k_aK.subarray(source, source + headDim), target);
        segment.v.set(v_aK.subarray(source, source + headDim), target);
      }
    }
  }

  /** The stored rows of the segment that starts at `firstRow`, up to position `end`. */
  views(layer: number, firstRow: number, end: number): HeadViews {
    const segment = this.#segmentAt(layer, firstRow);
    const { kvHeadCount, headDim } = this.#shape;
    const rowCount = end - segment.firstRow;
    const k: Float32Array[] = [];
    const v: Float32Array[] = [];
    for (let head = 0; head < kvHeadCount; head++) {
      const start = head * segment.capacity * headDim;
      k.push(segment.k.subarray(start, start + rowCount * headDim));
      v.push(segment.v.subarray(start, start + rowCount * headDim));
    }
    return { k, v, rowCount };
  }

  commit(rowCount: number): void {
    assert(this.#length + rowCount <= this.#reserved, "only reserved rows are committed");
    this.#length += rowCount;
    const keepFrom = firstLocalRow(this.#geometry, this.#length);
    for (const [layer, segments] of this.#layers.entries()) {
      if (this.#isGlobal(layer)) continue;
      while (segments[0] !== undefined && segments[0].firstRow < keepFrom) this.#release(segments.shift());
    }
  }

  close(): void {
    for (const segments of this.#layers) {
      for (const segment of segments) this.#release(segment);
      segments.length = 0;
    }
    this.#length = 0;
    this.#reserved = 0;
  }

  #isGlobal(layer: number): boolean {
    return this.#geometry.isGlobalLayer[layer] ?? false;
  }

  #segmentAt(layer: number, position: number): Segment {
    const segments = this.#layers[layer] ?? [];
    const rows = segmentRowsOf(this.#geometry, this.#isGlobal(layer));
    const segment = segments[Math.floor((position - (segments[0]?.firstRow ?? 0)) / rows)];
    assert(segment !== undefined, "a row is reserved before it is used");
    return segment;
  }

  #grow(segments: Segment[], isGlobal: boolean, end: number): void {
    const rows = segmentRowsOf(this.#geometry, isGlobal);
    const first = isGlobal ? 0 : firstLocalRow(this.#geometry, this.#length);
    for (let firstRow = segments.at(-1)?.firstRow ?? first; firstRow < end; firstRow += rows) {
      const capacity = segmentCapacity(this.#geometry, isGlobal, Math.min(rows, end - firstRow));
      const old = segments.at(-1);
      if (old?.firstRow === firstRow) {
        if (old.capacity < capacity) this.#enlarge(old, capacity);
        continue;
      }
      const floats = capacity * this.#shape.kvHeadCount * this.#shape.headDim;
      segments.push({ firstRow, capacity, k: this.#pool.allocate(floats), v: this.#pool.allocate(floats) });
    }
  }

  #enlarge(segment: Segment, capacity: number): void {
    const copy = (old: Float32Array): Float32Array => {
      const { kvHeadCount, headDim } = this.#shape;
      // Freed first: the pool counts what the sequence keeps; the old contents stay readable until the copy is done.
      this.#pool.free(old);
      const grown = this.#pool.allocate(capacity * kvHeadCount * headDim);
      const size = segment.capacity * headDim;
      for (let head = 0; head < kvHeadCount; head++)
        grown.set(old.subarray(head * size, (head + 1) * size), head * capacity * headDim);
      return grown;
    };
    segment.k = copy(segment.k);
    segment.v = copy(segment.v);
    segment.capacity = capacity;
  }

  #release(segment: Segment | undefined): void {
    if (segment === undefined) return;
    this.#pool.free(segment.k);
    this.#pool.free(segment.v);
  }
}
