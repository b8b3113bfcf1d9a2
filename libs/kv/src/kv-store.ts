import { assert } from "@drover/core";
import { type KvGeometry, type KvKind, rowBytesOf } from "./geometry.ts";

/** Names an extent for as long as it is allocated; a number is never used twice. */
export type ExtentId = number;

/**
 * Where the rows are. An extent is a run of rows of one segment, for all layers of its kind; the cache decides which
 * there are and the store holds what is in them. All calls are synchronous, and are made between two steps. The cache
 * keeps within its limit of bytes, so a store never refuses.
 */
export interface KvStore {
  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void;
  /**
   * Gives the extent another capacity; its first min(old, new) rows stay. A smaller one gives the bytes of a cold tail
   * back.
   */
  resize(extent: ExtentId, capacityRows: number): void;
  /** Copies rows between two extents of one kind. */
  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void;
  free(extent: ExtentId): void;
}

/** A store without rows: it counts bytes and crashes on misuse. For replays of traces, and for planning. */
export class CountingStore implements KvStore {
  readonly #rowBytes: Readonly<Record<KvKind, number>>;
  readonly #extents = new Map<ExtentId, { readonly kind: KvKind; capacity: number }>();
  #byteCount = 0;

  constructor(geometry: KvGeometry) {
    this.#rowBytes = { global: rowBytesOf(geometry, "global"), local: rowBytesOf(geometry, "local") };
  }

  /** Bytes allocated now. */
  get byteCount(): number {
    return this.#byteCount;
  }

  get extentCount(): number {
    return this.#extents.size;
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    assert(!this.#extents.has(extent), "an extent is allocated once");
    this.#extents.set(extent, { kind, capacity: capacityRows });
    this.#byteCount += capacityRows * this.#rowBytes[kind];
  }

  resize(extent: ExtentId, capacityRows: number): void {
    const known = this.#get(extent);
    this.#byteCount += (capacityRows - known.capacity) * this.#rowBytes[known.kind];
    known.capacity = capacityRows;
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    const source = this.#get(from);
    const target = this.#get(to);
    assert(source.kind === target.kind, "rows are copied within a kind");
    assert(fromRow + rowCount <= source.capacity && toRow + rowCount <= target.capacity, "copied rows are allocated");
  }

  free(extent: ExtentId): void {
    const { kind, capacity } = this.#get(extent);
    this.#byteCount -= capacity * this.#rowBytes[kind];
    this.#extents.delete(extent);
  }

  #get(extent: ExtentId): { readonly kind: KvKind; capacity: number } {
    const known = this.#extents.get(extent);
    assert(known !== undefined, "an extent is used between its allocation and its end");
    return known;
  }
}
