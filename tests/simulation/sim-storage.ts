import { assert, type SegmentRows } from "@drover/core";
import { CountingStore, type ExtentId, type KvKind } from "@drover/kv";
import type { SequenceStorage } from "@drover/sequences";
import { GEOMETRY } from "./model.ts";

/** Rows of a simulated worker's KV: one word each. It counts as the real ones do, and crashes where an extent is freed twice or used behind its end. */
export class SimStorage implements SequenceStorage {
  readonly dtype = "f32";
  readonly #counted = new CountingStore(GEOMETRY);
  readonly #rows = new Map<ExtentId, Uint32Array>();

  /** Bytes that are allocated. */
  get byteCount(): number {
    return this.#counted.byteCount;
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    this.#counted.allocate(extent, kind, capacityRows);
    this.#rows.set(extent, new Uint32Array(capacityRows));
  }

  resize(extent: ExtentId, capacityRows: number): void {
    this.#counted.resize(extent, capacityRows);
    const resized = new Uint32Array(capacityRows);
    resized.set(this.#of(extent).subarray(0, capacityRows));
    this.#rows.set(extent, resized);
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    this.#counted.copyRows(from, fromRow, to, toRow, rowCount);
    this.#of(to).set(this.#of(from).subarray(fromRow, fromRow + rowCount), toRow);
  }

  free(extent: ExtentId): void {
    this.#counted.free(extent);
    this.#rows.delete(extent);
  }

  write(extent: ExtentId, row: number, word: number): void {
    const rows = this.#of(extent);
    assert(row < rows.length, "a row is written where there is room for it");
    rows[row] = word;
  }

  /** Rows [firstRow, firstRow + rowCount). */
  view(extent: ExtentId, firstRow: number, rowCount: number): Uint32Array {
    const rows = this.#of(extent);
    assert(firstRow + rowCount <= rows.length, "viewed rows are allocated");
    return rows.subarray(firstRow, firstRow + rowCount);
  }

  async read(extent: ExtentId): Promise<SegmentRows["layers"]> {
    const rows = this.#of(extent);
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    return [{ k: bytes, v: bytes }];
  }

  #of(extent: ExtentId): Uint32Array {
    const rows = this.#rows.get(extent);
    assert(rows !== undefined, "an extent is used between its allocation and its end");
    return rows;
  }
}
