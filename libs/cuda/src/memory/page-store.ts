import { assert, at, type KvDtype, type SegmentRows } from "@drover/core";
import type { ExtentId, KvGeometry, KvKind } from "@drover/kv";
import type { SequenceStorage } from "@drover/sequences";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { type PageLayout, pageLayout } from "./page-layout.ts";
import { type PageId, type PageMove, PagePool } from "./page-pool.ts";
import { PageTransfer } from "./page-transfer.ts";

/** What a row of a layer is: keys, and values, of so many heads. */
export type KeptRows = Readonly<{ dtype: KvDtype; kvHeadCount: number }>;

type Pages = Readonly<{ kind: KvKind; pages: PageId[] }>;

/**
 * The rows of a worker's KV, in a card's memory: an extent is a list of pages, which lie anywhere. Copies are enqueued on the stream that steps run on, between
 * them, so nothing waits.
 */
export class PageStore implements SequenceStorage {
  readonly dtype: KvDtype;
  readonly layout: PageLayout;
  /** Where unit 0 is. */
  readonly address: DeviceAddress;
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #pool: PagePool;
  readonly #transfer: PageTransfer;
  readonly #extents = new Map<ExtentId, Pages>();

  /** Allocates all of it at once. Errors: `overloaded` where the card has not so much. */
  constructor(
    geometry: KvGeometry,
    bytesMax: number,
    device: CudaDevice,
    memory: DeviceMemory,
    stream: Stream,
    kept: KeptRows,
  ) {
    this.dtype = kept.dtype;
    this.layout = pageLayout(geometry, bytesMax);
    const { unitBytes, slabUnits, slabCount } = this.layout;
    this.address = memory.allocate("kv", slabCount * slabUnits * unitBytes);
    this.#device = device;
    this.#stream = stream;
    this.#pool = new PagePool(this.layout);
    this.#transfer = new PageTransfer({ device, stream }, this.layout, this.address, kept.kvHeadCount);
  }

  /** Bytes of the pages of all extents. */
  get byteCount(): number {
    const { pageUnits, unitBytes } = this.layout;
    const units = this.#pool.count("global") * pageUnits.global + this.#pool.count("local") * pageUnits.local;
    return units * unitBytes;
  }

  allocate(extent: ExtentId, kind: KvKind, capacityRows: number): void {
    assert(!this.#extents.has(extent), "an extent is allocated once");
    this.#extents.set(extent, { kind, pages: [] });
    this.resize(extent, capacityRows);
  }

  /** More pages, or fewer: those that stay are not touched. */
  resize(extent: ExtentId, capacityRows: number): void {
    const { pageRows, pageUnits } = this.layout;
    assert(capacityRows % pageRows === 0, "an extent is whole pages");
    const { kind, pages } = this.#get(extent);
    const count = pageUnits[kind] === 0 ? 0 : capacityRows / pageRows;
    for (const page of pages.splice(count)) this.#pool.give(page);
    while (pages.length < count) {
      const { page, moves } = this.#pool.take(kind);
      for (const move of moves) this.#move(move);
      pages.push(page);
    }
  }

  copyRows(from: ExtentId, fromRow: number, to: ExtentId, toRow: number, rowCount: number): void {
    const { pageRows, pageUnits } = this.layout;
    const source = this.#get(from);
    const target = this.#get(to);
    assert(source.kind === target.kind, "rows are copied within a kind");
    for (let done = 0; done < rowCount; ) {
      const rows = Math.min(
        rowCount - done,
        pageRows - ((fromRow + done) % pageRows),
        pageRows - ((toRow + done) % pageRows),
      );
      for (let layer = 0; layer < pageUnits[source.kind]; layer++)
        this.#copyRows(source, fromRow + done, target, toRow + done, rows, layer);
      done += rows;
    }
  }

  free(extent: ExtentId): void {
    for (const page of this.#get(extent).pages) this.#pool.give(page);
    this.#extents.delete(extent);
  }

  /** Copies of the rows, by head; waits for the steps before it without holding this thread. */
  read(extent: ExtentId): Promise<SegmentRows["layers"]> {
    const { kind, pages } = this.#get(extent);
    return this.#transfer.read(pages.length, this.layout.pageUnits[kind], () => this.#extents.get(extent)?.pages);
  }

  /** Writes what {@link read} reads into an extent; where that is freed meanwhile, nothing more. */
  write(extent: ExtentId, layers: SegmentRows["layers"]): Promise<void> {
    const { pages } = this.#get(extent);
    return this.#transfer.write(layers, pages.length, () => this.#extents.get(extent)?.pages);
  }

  /** Gives back what is not the card's memory. */
  close(): void {
    this.#transfer.close();
  }

  /** The pages of an extent's rows. Good until the next call that allocates. */
  pagesOf(extent: ExtentId): readonly PageId[] {
    return this.#get(extent).pages;
  }

  /** The page that holds a row of an extent. Good until the next call that allocates. */
  pageOf(extent: ExtentId, row: number): PageId {
    return at(this.#get(extent).pages, Math.floor(row / this.layout.pageRows));
  }

  /** Rows within one page of each: keys, and then values, lie a row after the other. */
  #copyRows(source: Pages, fromRow: number, target: Pages, toRow: number, rowCount: number, layer: number): void {
    const { pageRows, unitBytes } = this.layout;
    const rowBytes = unitBytes / (2 * pageRows);
    for (const half of [0, unitBytes / 2]) {
      const place = ({ pages }: Pages, row: number) =>
        this.address +
        BigInt((at(pages, Math.floor(row / pageRows)) + layer) * unitBytes + half + (row % pageRows) * rowBytes);
      this.#device.copy(place(target, toRow), place(source, fromRow), rowCount * rowBytes, this.#stream);
    }
  }

  #move({ kind, from, to }: PageMove): void {
    const { unitBytes, pageUnits } = this.layout;
    const place = (page: PageId) => this.address + BigInt(page * unitBytes);
    this.#device.copy(place(to), place(from), pageUnits[kind] * unitBytes, this.#stream);
    for (const { pages } of this.#extents.values()) {
      const index = pages.indexOf(from);
      if (index >= 0) pages[index] = to;
    }
  }

  #get(extent: ExtentId): Pages {
    const known = this.#extents.get(extent);
    assert(known !== undefined, "an extent is used between its allocation and its end");
    return known;
  }
}
