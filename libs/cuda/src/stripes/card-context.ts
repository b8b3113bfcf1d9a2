import {
  type AttendCall,
  type AttendedPart,
  assert,
  type ContextStorage,
  DroverError,
  type SegmentName,
  type SegmentRows,
  type StripeQuery,
} from "@drover/core";
import { type ExtentId, type KvGeometry, layerCountOf } from "@drover/kv";
import { askedSegments } from "@drover/sequences";
import type { CudaDevice, Event, Stream } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import { passed } from "../driver/passed.ts";
import type { Precision } from "../kernels/activations.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { CONTEXT_ROWS_MAX } from "../limits.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { freeForKv } from "../memory/free-for-kv.ts";
import { pageRowsOf } from "../memory/page-layout.ts";
import type { PageId } from "../memory/page-pool.ts";
import { PageStore } from "../memory/page-store.ts";
import { type AskedPages, ContextRows } from "./context-rows.ts";

export type CardContextOptions = Readonly<{
  /** What keys and values are kept as. */
  kv: Precision;
  /** Bytes of segments; `auto`: what the card has free, but for `KV_AUTO_SPARED`. */
  bytesMax: number | "auto";
  /** Where machine code is kept from one start to the next; undefined: nowhere. */
  cacheFolder: string | undefined;
}>;

/** Sizes of rows. */
type RowSizes = Readonly<{ headCount: number; kvHeadCount: number; headDim: number; chunkSize: number }>;

/** A stored segment: its extent. `isWhole`: all of its rows are on the card. */
type Held = { readonly extent: ExtentId; readonly rowCount: number; isWhole: boolean };

/** Rows of one query that wait for the card, from row `first` of their call on. */
type Piece = Readonly<{ call: Call; query: StripeQuery; q_aQ: Float32Array; first: number; rowCount: number }>;
type Call = {
  readonly layer: number;
  readonly part: AttendedPart;
  left: number;
  readonly settle: PromiseWithResolvers<AttendedPart>;
};

/**
 * Segments of global layers that other workers gave away, in a card's memory, and attention over them there. All that waits for one layer is computed at once, up to
 * {@link CONTEXT_ROWS_MAX} rows, while this thread does other things. After a fault of the card it is unusable.
 */
export class CardContext implements ContextStorage, Disposable {
  readonly bytesMax: number;
  readonly layerCount: number;
  readonly dtype: Precision;
  readonly rowBytes: number;
  readonly memory: DeviceMemory;
  readonly #device: CudaDevice;
  readonly #library: KernelLibrary;
  readonly #stream: Stream;
  readonly #done: Event;
  readonly #store: PageStore;
  readonly #rows: ContextRows;
  readonly #sequences = new Map<string, Map<number, Held>>();
  readonly #waiting: Piece[] = [];
  readonly #failed = Promise.withResolvers<never>();
  readonly #width: number;
  readonly #headCount: number;
  #nextExtent = 1;
  #isRunning = false;

  /** Takes all memory. Errors: `overloaded` where the card is full. */
  constructor(cuda: Cuda, sizes: RowSizes, geometry: KvGeometry, { kv, bytesMax, cacheFolder }: CardContextOptions) {
    const { device } = cuda;
    const { headCount, kvHeadCount, headDim } = sizes;
    this.#device = device;
    this.#width = headCount * headDim;
    this.#headCount = headCount;
    this.layerCount = layerCountOf(geometry, "global");
    this.dtype = kv;
    this.rowBytes = geometry.rowBytes / 2;
    this.memory = new DeviceMemory(device);
    this.#stream = device.createStream();
    this.#done = device.createEvent();
    this.#library = new KernelLibrary(cuda, cacheFolder);
    this.bytesMax = bytesMax === "auto" ? freeForKv(device) : bytesMax;
    const own = { ...geometry, isGlobalLayer: geometry.isGlobalLayer.filter(Boolean) };
    const kept = { dtype: kv, kvHeadCount };
    this.#store = new PageStore(own, this.bytesMax, device, this.memory, this.#stream, kept);
    const { slabCount, slabUnits, pageUnits } = this.#store.layout;
    const pagesMax = Math.ceil((slabCount * slabUnits) / Math.max(1, pageUnits.global));
    const card = { device, library: this.#library, memory: this.memory, stream: this.#stream };
    const kernelSizes = { ...sizes, pageRows: pageRowsOf(geometry), kv };
    this.#rows = new ContextRows(card, kernelSizes, this.#store.address, pagesMax);
    // Whoever asks for it hears of it; it may be that nobody does.
    this.#failed.promise.catch(() => undefined);
  }

  /** Rejects when the card has failed, with its own words; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Bytes of all that is held. */
  get byteCount(): number {
    return this.#store.byteCount;
  }

  get bytesFree(): number {
    return this.bytesMax - this.byteCount;
  }

  get segmentCount(): number {
    return [...this.#sequences.values()].reduce((sum, segments) => sum + segments.size, 0);
  }

  async put(rows: SegmentRows): Promise<void> {
    const { rowCount, sequenceId, segment, layers } = rows;
    if (rows.dtype !== this.dtype)
      throw new DroverError("invalid_argument", `the rows are ${rows.dtype}, and are kept here as ${this.dtype}`);
    const bytes = rowCount * this.rowBytes;
    const fits = layers.every(({ k, v }) => k.length === bytes && v.length === bytes);
    if (!fits || layers.length !== this.layerCount || rowCount === 0 || rowCount % this.#store.layout.pageRows !== 0)
      throw new DroverError("invalid_argument", "a segment has keys and values of every global layer");
    const segments = this.#sequences.get(sequenceId) ?? new Map<number, Held>();
    const before = segments.get(segment);
    const room = this.bytesFree + (before?.rowCount ?? 0) * 2 * this.layerCount * this.rowBytes;
    if (2 * this.layerCount * bytes > room) throw new DroverError("overloaded", "the context worker's KV is full");
    if (before !== undefined) this.#store.free(before.extent);
    const held = { extent: this.#nextExtent++, rowCount, isWhole: false };
    this.#store.allocate(held.extent, "global", rowCount);
    segments.set(segment, held);
    this.#sequences.set(sequenceId, segments);
    await this.#watch(this.#store.write(held.extent, layers));
    held.isWhole = true;
  }

  attend({ layer, queries, q_aQ }: AttendCall): Promise<AttendedPart> {
    const rowCount = queries.reduce((sum, query) => sum + query.rowCount, 0);
    if (layer >= this.layerCount || rowCount === 0 || q_aQ.length !== rowCount * this.#width)
      return Promise.reject(new DroverError("invalid_argument", "queries have the model's layers and width"));
    const part = { attended_aQ: new Float32Array(q_aQ.length), lse_aH: new Float32Array(rowCount * this.#headCount) };
    const call: Call = { layer, part, left: rowCount, settle: Promise.withResolvers() };
    let first = 0;
    for (const query of queries)
      for (let done = 0; done < query.rowCount; ) {
        const rows = Math.min(CONTEXT_ROWS_MAX, query.rowCount - done);
        const q = q_aQ.subarray(first * this.#width, (first + rows) * this.#width);
        this.#waiting.push({ call, query, q_aQ: q, first, rowCount: rows });
        done += rows;
        first += rows;
      }
    if (!this.#isRunning) void this.#work();
    return call.settle.promise;
  }

  drop(sequenceId: string): void {
    for (const { extent } of this.#sequences.get(sequenceId)?.values() ?? []) this.#store.free(extent);
    this.#sequences.delete(sequenceId);
  }

  dropSegment(sequenceId: string, segment: number): void {
    const held = this.#sequences.get(sequenceId)?.get(segment);
    if (held === undefined) return;
    this.#store.free(held.extent);
    this.#remove({ sequenceId, segment });
  }

  rename(from: SegmentName, to: SegmentName): void {
    const found = this.#sequences.get(from.sequenceId)?.get(from.segment);
    if (found === undefined) return;
    this.#remove(from);
    const segments = this.#sequences.get(to.sequenceId) ?? new Map<number, Held>();
    this.#sequences.set(to.sequenceId, segments.set(to.segment, found));
  }

  async get(sequenceId: string, segment: number): Promise<SegmentRows | undefined> {
    const held = this.#sequences.get(sequenceId)?.get(segment);
    if (held?.isWhole !== true) return undefined;
    const layers = await this.#watch(this.#store.read(held.extent));
    // Dropped meanwhile, its pages may have been another's.
    if (this.#sequences.get(sequenceId)?.get(segment) !== held) return undefined;
    return { sequenceId, segment, rowCount: held.rowCount, dtype: this.dtype, layers };
  }

  /** Gives everything back to the card. */
  [Symbol.dispose](): void {
    this.#device.synchronize(this.#stream);
    this.#rows.close();
    this.#store.close();
    this.#device.destroyEvent(this.#done);
    this.#library.close();
    this.memory.close();
    this.#device.destroyStream(this.#stream);
  }

  #remove({ sequenceId, segment }: SegmentName): void {
    const segments = this.#sequences.get(sequenceId);
    segments?.delete(segment);
    if (segments?.size === 0) this.#sequences.delete(sequenceId);
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#waiting.length > 0) {
        const pieces = this.#next();
        const [piece] = pieces;
        if (piece === undefined) continue;
        const asked = pieces.map(({ of, pages }): AskedPages => ({ q_aQ: of.q_aQ, rowCount: of.rowCount, pages }));
        this.#rows.enqueue(piece.of.call.layer, asked);
        this.#device.record(this.#done, this.#stream);
        await this.#watch(passed(this.#device, this.#done));
        this.#answer(pieces.map(({ of }) => of));
      }
    } catch (error) {
      for (const { call } of this.#waiting.splice(0)) call.settle.reject(error);
      this.#failed.reject(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Takes what waits for the first one's layer, as far as it fits at once; what is lost meanwhile is answered with that. */
  #next(): readonly Readonly<{ of: Piece; pages: readonly PageId[] }>[] {
    const taken: { of: Piece; pages: readonly PageId[] }[] = [];
    const layer = this.#waiting[0]?.call.layer;
    let [rows, words] = [0, 0];
    for (const piece of [...this.#waiting]) {
      if (piece.call.layer !== layer) continue;
      const pages = this.#pagesOf(piece.query);
      if (pages === undefined) {
        piece.call.settle.reject(new DroverError("not_found", "segments of this sequence are not held here"));
        this.#waiting.splice(this.#waiting.indexOf(piece), 1);
        continue;
      }
      if (rows + piece.rowCount > CONTEXT_ROWS_MAX || words + pages.length > this.#rows.tableMax) break;
      rows += piece.rowCount;
      words += pages.length;
      taken.push({ of: piece, pages });
      this.#waiting.splice(this.#waiting.indexOf(piece), 1);
    }
    return taken;
  }

  #answer(pieces: readonly Piece[]): void {
    let row = 0;
    for (const { call, first, rowCount } of pieces) {
      this.#rows.take(row, rowCount, call.part.attended_aQ, call.part.lse_aH, first);
      row += rowCount;
      call.left -= rowCount;
      assert(call.left >= 0, "a row is answered once");
      if (call.left === 0) call.settle.resolve(call.part);
    }
  }

  /** Where the rows that a query attends to are now; undefined: it is not held as the query expects it. */
  #pagesOf(query: StripeQuery): readonly PageId[] | undefined {
    const asked = askedSegments(this.#sequences.get(query.sequenceId), query);
    if (asked?.every(({ isWhole }) => isWhole) !== true) return undefined;
    return asked.flatMap(({ extent }) => this.#store.pagesOf(extent));
  }

  /** Tells everybody of the card's fault. */
  #watch<Value>(work: Promise<Value>): Promise<Value> {
    work.catch((error: unknown) => this.#failed.reject(error));
    return work;
  }
}
