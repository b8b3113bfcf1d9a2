import { assert } from "@drover/core";
import type { KvGeometry, KvKind } from "../geometry.ts";
import { CountingStore, type ExtentId, type KvStore } from "../kv-store.ts";

/** A store whose rows are numbers: what a row would hold is named by the prefix that it was computed from. */
export class RowStore implements KvStore {
  readonly #counting: CountingStore;
  readonly #rows = new Map<ExtentId, Float64Array>();

  constructor(geometry: KvGeometry) {
    this.#counting = new CountingStore(geometry);
  }

  get byteCount(): number {
    return this.#counting.byteCount;
  }

  get extentCount(): number {
    return this.#counting.extentCount;
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    this.#counting.allocate(extent, kind, capacityRows);
    this.#rows.set(extent, new Float64Array(capacityRows).fill(-1));
  }

  resize(extent: ExtentId, capacityRows: number): void {
    this.#counting.resize(extent, capacityRows);
    const rows = new Float64Array(capacityRows).fill(-1);
    rows.set(this.#get(extent).subarray(0, capacityRows));
    this.#rows.set(extent, rows);
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    this.#counting.copyRows(from, fromRow, to, toRow, rowCount);
    this.#get(to).set(this.#get(from).subarray(fromRow, fromRow + rowCount), toRow);
  }

  free(extent: ExtentId): void {
    this.#counting.free(extent);
    this.#rows.delete(extent);
  }

  write(extent: ExtentId, row: number, name: number): void {
    const rows = this.#get(extent);
    assert(row < rows.length, "a row is written where it is allocated");
    rows[row] = name;
  }

  read(extent: ExtentId, row: number): number | undefined {
    return this.#get(extent)[row];
  }

  #get(extent: ExtentId): Float64Array {
    const rows = this.#rows.get(extent);
    assert(rows !== undefined, "an extent is used between its allocation and its end");
    return rows;
  }
}
