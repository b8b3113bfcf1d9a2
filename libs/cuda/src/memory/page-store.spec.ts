import type { ExtentId, KvKind } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeDevice } from "../testing/fake-device.ts";
import { DeviceMemory } from "./device-memory.ts";
import { PageStore } from "./page-store.ts";

const PAGE = 4;
const ROW_BYTES = 2;
/** Layers of the two kinds, so that one is a multiple of the other, or not. */
const PATTERNS = [[false, false, false, true], [false, false, false, true, true], [true]] as const;

type Extent = { kind: KvKind; rows: (number | undefined)[] };

/** A store and what should be in it: each row of an extent has one number in all layers. */
class Model {
  readonly store: PageStore;
  readonly bytesMax: number;
  readonly #device = new FakeDevice(2 ** 30);
  readonly #layers: Readonly<Record<KvKind, number>>;
  readonly #extents = new Map<ExtentId, Extent>();
  #next = 1;
  #value = 1;

  constructor(isGlobalLayer: readonly boolean[], bytesMax: number) {
    const geometry = {
      isGlobalLayer,
      chunkRows: 2 * PAGE,
      segmentRows: 4 * PAGE,
      blockRows: PAGE,
      rowBytes: ROW_BYTES,
    };
    const global = isGlobalLayer.filter(Boolean).length;
    this.#layers = { global, local: isGlobalLayer.length - global };
    this.bytesMax = bytesMax;
    const memory = new DeviceMemory(this.#device);
    this.store = new PageStore(geometry, bytesMax, this.#device, memory, this.#device.createStream(), {
      dtype: "f32",
      kvHeadCount: 1,
    });
  }

  bytesOf(kind: KvKind, rows: number): number {
    return rows * ROW_BYTES * this.#layers[kind];
  }

  allocate(kind: KvKind, pages: number): void {
    if (this.#layers[kind] === 0 || this.store.byteCount + this.bytesOf(kind, pages * PAGE) > this.bytesMax) return;
    const id = this.#next++;
    this.store.allocate(id, kind, pages * PAGE);
    this.#extents.set(id, { kind, rows: new Array<undefined>(pages * PAGE).fill(undefined) });
    this.fill(id);
  }

  resize(choice: number, pages: number): void {
    const [id, extent] = this.#pick(choice);
    if (extent === undefined) return;
    const more = this.bytesOf(extent.kind, pages * PAGE - extent.rows.length);
    if (this.store.byteCount + more > this.bytesMax) return;
    this.store.resize(id, pages * PAGE);
    const kept = extent.rows.slice(0, pages * PAGE);
    extent.rows = Array.from({ length: pages * PAGE }, (_, row) => kept[row]);
  }

  copy(choice: number, other: number, from: number, to: number, count: number): void {
    const [source, a] = this.#pick(choice);
    const [target, b] = this.#pick(other);
    if (a === undefined || b === undefined || a === b || a.kind !== b.kind) return;
    const [first, second] = [from % a.rows.length, to % b.rows.length];
    const rows = Math.min(count, a.rows.length - first, b.rows.length - second);
    this.store.copyRows(source, first, target, second, rows);
    for (let i = 0; i < rows; i++) b.rows[second + i] = a.rows[first + i];
  }

  free(choice: number): void {
    const [id, extent] = this.#pick(choice);
    if (extent === undefined) return;
    this.store.free(id);
    this.#extents.delete(id);
  }

  fill(id: ExtentId): void {
    const extent = this.#extents.get(id);
    for (const row of extent?.rows.keys() ?? []) {
      const value = this.#value++ % 251;
      for (const place of this.#places(id, row)) this.#device.write(place, Uint8Array.of(value));
      if (extent !== undefined) extent.rows[row] = value;
    }
  }

  check(): void {
    let bytes = 0;
    for (const [id, { kind, rows }] of this.#extents) {
      bytes += this.bytesOf(kind, rows.length);
      for (const [row, value] of rows.entries()) {
        if (value === undefined) continue;
        for (const place of this.#places(id, row)) {
          const found = new Uint8Array(1);
          this.#device.read(place, found);
          expect(found[0]).toBe(value);
        }
      }
    }
    expect(this.store.byteCount).toBe(bytes);
  }

  /** Key and value of a row in every layer, a byte each. */
  #places(id: ExtentId, row: number): bigint[] {
    const { unitBytes } = this.store.layout;
    const page = this.store.pageOf(id, row);
    const kind = this.#extents.get(id)?.kind ?? "global";
    return Array.from({ length: 2 * this.#layers[kind] }, (_, i) => {
      const unit = page + Math.floor(i / 2);
      return this.store.address + BigInt(unit * unitBytes + ((i % 2) * unitBytes) / 2 + (row % PAGE));
    });
  }

  #pick(choice: number): [ExtentId, Extent | undefined] {
    const ids = [...this.#extents.keys()];
    const id = ids[choice % Math.max(1, ids.length)] ?? 0;
    return [id, this.#extents.get(id)];
  }
}

test("a page is found while its bytes are free, rows stay what they are wherever they move, and bytes are counted exactly", () => {
  const operation = fc.record({
    choice: fc.nat(9),
    a: fc.nat(99),
    b: fc.nat(99),
    c: fc.nat(15),
    pages: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...PATTERNS),
      fc.integer({ min: 6, max: 30 }),
      fc.array(operation, { maxLength: 80 }),
      (pattern, slabs, operations) => {
        const model = new Model(pattern, slabs * pattern.length * PAGE * ROW_BYTES);
        for (const { choice, a, b, c, pages } of operations) {
          if (choice < 4) model.allocate(choice % 2 === 0 ? "global" : "local", pages);
          else if (choice < 6) model.resize(a, pages);
          else if (choice < 8) model.copy(a, b, c, a, 1 + c);
          else model.free(a);
        }
        model.check();
      },
    ),
    { numRuns: 60 },
  );
});
