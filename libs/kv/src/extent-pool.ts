import { assert } from "@drover/core";
import { type KvGeometry, type KvKind, rowBytesOf, segmentRowsOf } from "./geometry.ts";
import type { KvStore } from "./kv-store.ts";
import type { Extent } from "./prefix-node.ts";

/** Allocates extents and counts them: allocated = referenced + cached, to the byte, by kind. */
export class ExtentPool {
  readonly #geometry: KvGeometry;
  readonly #store: KvStore;
  readonly #rowBytes: Readonly<Record<KvKind, number>>;
  readonly #allocated: Record<KvKind, number> = { global: 0, local: 0 };
  readonly #referenced: Record<KvKind, number> = { global: 0, local: 0 };
  readonly extents = new Set<Extent>();
  #nextId = 1;
  /** Rises whenever cached rows have moved to another place. */
  moveCount = 0;

  constructor(geometry: KvGeometry, store: KvStore) {
    this.#geometry = geometry;
    this.#store = store;
    this.#rowBytes = { global: rowBytesOf(geometry, "global"), local: rowBytesOf(geometry, "local") };
  }

  allocatedBytes(kind: KvKind): number {
    return this.#allocated[kind];
  }

  referencedBytes(kind: KvKind): number {
    return this.#referenced[kind];
  }

  get bytes(): number {
    return this.#allocated.global + this.#allocated.local;
  }

  get cachedBytes(): number {
    return this.bytes - this.#referenced.global - this.#referenced.local;
  }

  bytesOf(kind: KvKind, rows: number): number {
    return rows * this.#rowBytes[kind];
  }

  /** Rows of a buffer that holds `rowCount`: whole blocks, at most a segment. */
  capacityFor(kind: KvKind, rowCount: number): number {
    const { blockRows } = this.#geometry;
    return Math.min(segmentRowsOf(this.#geometry, kind === "global"), Math.ceil(rowCount / blockRows) * blockRows);
  }

  allocate(kind: KvKind, capacity: number): Extent {
    const extent: Extent = {
      id: this.#nextId++,
      kind,
      capacity,
      rowCount: 0,
      owned: true,
      nodes: [],
      referencedBytes: 0,
    };
    this.extents.add(extent);
    this.#store.allocate(extent.id, kind, capacity);
    this.#allocated[kind] += this.bytesOf(kind, capacity);
    this.recount(extent);
    return extent;
  }

  resize(extent: Extent, capacity: number): void {
    if (capacity === extent.capacity) return;
    this.#store.resize(extent.id, capacity);
    this.#allocated[extent.kind] += this.bytesOf(extent.kind, capacity - extent.capacity);
    extent.capacity = capacity;
    this.recount(extent);
  }

  copyRows(from: Extent, fromRow: number, to: Extent, toRow: number, rowCount: number): void {
    assert(toRow >= to.rowCount, "written rows never change");
    this.#store.copyRows(from.id, fromRow, to.id, toRow, rowCount);
    to.rowCount = toRow + rowCount;
  }

  free(extent: Extent): void {
    assert(extent.nodes.length === 0 && this.extents.delete(extent), "an extent is freed once, when nothing is in it");
    this.#referenced[extent.kind] -= extent.referencedBytes;
    this.#allocated[extent.kind] -= this.bytesOf(extent.kind, extent.capacity);
    this.#store.free(extent.id);
  }

  /** Counts again what is referenced, after a change of the owner, the size or of who holds its nodes. */
  recount(extent: Extent): void {
    const bytes = this.bytesOf(extent.kind, this.#referencedRows(extent));
    this.#referenced[extent.kind] += bytes - extent.referencedBytes;
    extent.referencedBytes = bytes;
  }

  /**
   * After its owner or a cached node has left an extent: gives back what nothing names. Rows that nothing names before
   * others that something does (a second copy of what was cached already) are closed up by copying, where there is room
   * for the copy meanwhile.
   */
  settle(extent: Extent, freeBytes: number): void {
    if (extent.owned) return;
    const last = extent.nodes.at(-1);
    if (last === undefined) {
      this.free(extent);
      return;
    }
    extent.rowCount = last.firstRow + last.rowCount;
    this.resize(extent, this.capacityFor(extent.kind, extent.rowCount));
    const named = extent.nodes.reduce((total, node) => total + node.rowCount, 0);
    const packed = this.capacityFor(extent.kind, named);
    if (named < extent.rowCount && this.bytesOf(extent.kind, packed) <= freeBytes) this.#pack(extent, packed);
    else this.recount(extent);
  }

  #pack(extent: Extent, capacity: number): void {
    const target = this.allocate(extent.kind, capacity);
    target.owned = false;
    for (const node of extent.nodes) {
      const firstRow = target.rowCount;
      this.copyRows(extent, node.firstRow, target, firstRow, node.rowCount);
      node.extent = target;
      node.firstRow = firstRow;
      target.nodes.push(node);
    }
    extent.nodes.length = 0;
    this.free(extent);
    this.recount(target);
    this.moveCount += 1;
  }

  #referencedRows(extent: Extent): number {
    if (extent.owned) return extent.capacity;
    // Who holds a node holds all before it on its path, so the held ones come first.
    const last = extent.nodes.findLast(({ holderCount }) => holderCount > 0);
    return last === undefined ? 0 : this.capacityFor(extent.kind, last.firstRow + last.rowCount);
  }
}
