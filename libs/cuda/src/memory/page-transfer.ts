import { at, type SegmentRows } from "@drover/core";
import type { CudaDevice, DeviceAddress, Event, HostMemory, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import { TRANSFER_BYTES } from "../limits.ts";
import type { PageLayout } from "./page-layout.ts";
import type { PageId } from "./page-pool.ts";

type Layers = SegmentRows["layers"];

/** The pages of an extent as they lie now; undefined: it is free, and nobody wants its rows. */
type PagesOf = () => readonly PageId[] | undefined;

/** A unit of a transfer: a page's rows in one layer. */
type Unit = Readonly<{ layer: number; page: number }>;

/**
 * Rows on their way between a card's pages, where those of all heads lie behind each other, and this process's memory, where each head's do: some units at a time through pinned memory,
 * in the order of the stream, while this thread does other things. One extent at a time.
 */
export class PageTransfer {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #layout: PageLayout;
  readonly #address: DeviceAddress;
  readonly #headCount: number;
  readonly #done: Event;
  #host: HostMemory | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** `address`: of unit 0; `headCount`: KV heads of a row. */
  constructor(
    card: Readonly<{ device: CudaDevice; stream: Stream }>,
    layout: PageLayout,
    address: DeviceAddress,
    headCount: number,
  ) {
    this.#device = card.device;
    this.#stream = card.stream;
    this.#layout = layout;
    this.#address = address;
    this.#headCount = headCount;
    this.#done = card.device.createEvent();
  }

  /** Keys and values of `layerCount` layers, as {@link SegmentRows} has them, of as many pages. Errors: the card's. */
  read(pageCount: number, layerCount: number, pagesOf: PagesOf): Promise<Layers> {
    const bytes = (pageCount * this.#layout.unitBytes) / 2;
    const layers = Array.from({ length: layerCount }, () => ({ k: new Uint8Array(bytes), v: new Uint8Array(bytes) }));
    return this.#enqueue(async () => {
      for (const units of this.#batches(pageCount, layerCount)) {
        const host = this.#copy(units, pagesOf(), (memory, place, unit, size) =>
          this.#device.copyToHost(memory, place, unit, size, this.#stream),
        );
        if (host === undefined) break;
        await this.#pass();
        this.#turn(units, pageCount, layers, (unit, rows) => rows.set(unit), host);
      }
      return layers;
    });
  }

  /** Writes what {@link read} reads. Errors: the card's. */
  write(layers: Layers, pageCount: number, pagesOf: PagesOf): Promise<void> {
    return this.#enqueue(async () => {
      for (const units of this.#batches(pageCount, layers.length)) {
        if (pagesOf() === undefined) break;
        this.#turn(units, pageCount, layers, (unit, rows) => unit.set(rows), this.#pinned());
        this.#copy(units, pagesOf(), (memory, place, unit, size) =>
          this.#device.copyFromHost(unit, memory, place, size, this.#stream),
        );
        await this.#pass();
      }
    });
  }

  close(): void {
    this.#device.destroyEvent(this.#done);
    if (this.#host !== undefined) this.#device.freeHost(this.#host);
  }

  /** One after the other: pinned memory is one transfer's. */
  #enqueue<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Enqueues the copies of units; undefined where their pages are gone. */
  #copy(
    units: readonly Unit[],
    pages: readonly PageId[] | undefined,
    copy: (host: HostMemory, place: number, unit: DeviceAddress, byteCount: number) => void,
  ): HostMemory | undefined {
    if (pages === undefined) return undefined;
    const host = this.#pinned();
    const { unitBytes } = this.#layout;
    for (const [i, { layer, page }] of units.entries())
      copy(host, i * unitBytes, this.#address + BigInt((at(pages, page) + layer) * unitBytes), unitBytes);
    return host;
  }

  /** Between units in pinned memory, [2, page rows, heads], and [heads, rows] of keys and of values. */
  #turn(
    units: readonly Unit[],
    pageCount: number,
    layers: Layers,
    move: (unit: Uint8Array, rows: Uint8Array) => void,
    { bytes }: HostMemory,
  ): void {
    const { pageRows, unitBytes } = this.#layout;
    const heads = this.#headCount;
    const headBytes = unitBytes / (2 * pageRows * heads);
    for (const [i, { layer, page }] of units.entries()) {
      const { k, v } = at(layers, layer);
      for (let row = 0; row < 2 * pageRows * heads; row++) {
        const rows = row < pageRows * heads ? k : v;
        const [head, of] = [row % heads, Math.floor(row / heads) % pageRows];
        const from = i * unitBytes + row * headBytes;
        const to = ((head * pageCount + page) * pageRows + of) * headBytes;
        move(bytes.subarray(from, from + headBytes), rows.subarray(to, to + headBytes));
      }
    }
  }

  #pinned(): HostMemory {
    this.#host ??= this.#device.allocateHost(this.#batch * this.#layout.unitBytes);
    return this.#host;
  }

  async #pass(): Promise<void> {
    this.#device.record(this.#done, this.#stream);
    await passed(this.#device, this.#done);
  }

  get #batch(): number {
    return Math.max(1, Math.floor(TRANSFER_BYTES / this.#layout.unitBytes));
  }

  *#batches(pageCount: number, layerCount: number): Generator<readonly Unit[]> {
    let units: Unit[] = [];
    for (let layer = 0; layer < layerCount; layer++)
      for (let page = 0; page < pageCount; page++) {
        units.push({ layer, page });
        if (units.length < this.#batch) continue;
        yield units;
        units = [];
      }
    if (units.length > 0) yield units;
  }
}
