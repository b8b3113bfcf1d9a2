import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import { Activations } from "../kernels/activations.ts";
import { AttentionKernels } from "../kernels/attention-kernels.ts";
import { KernelLauncher } from "../kernels/kernel-launcher.ts";
import type { KernelLibrary } from "../kernels/kernel-library.ts";
import type { KernelSizes } from "../kernels/kernel-sizes.ts";
import { ATTENTION_PARTS_MAX, CONTEXT_ROWS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { PageId } from "../memory/page-pool.ts";

const WORD = 4;

/** Some queries, [rowCount, H*d], that attend to all rows of these pages. */
export type AskedPages = Readonly<{ q_aQ: Float32Array; rowCount: number; pages: readonly PageId[] }>;

/** Attention of queries of this process's memory over a card's pages, some rows at a time. */
export class ContextRows {
  /** Numbers of pages that the rows of one run may have in all. */
  readonly tableMax: number;
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #kernels: AttentionKernels;
  readonly #sizes: KernelSizes;
  readonly #pages: DeviceAddress;
  readonly #host: Readonly<Record<"q" | "y" | "lse" | "lists", HostMemory>>;
  readonly #card: Readonly<Record<"q" | "y" | "lse" | "lists" | "sums" | "marks", DeviceAddress>>;

  /** `pages`: where unit 0 is; `tableMax`: at least as many as one sequence may have. */
  constructor(
    card: Readonly<{ device: CudaDevice; library: KernelLibrary; memory: DeviceMemory; stream: Stream }>,
    sizes: KernelSizes,
    pages: DeviceAddress,
    tableMax: number,
  ) {
    const { device, memory, stream } = card;
    this.#device = device;
    this.#stream = stream;
    this.#sizes = sizes;
    this.#pages = pages;
    this.tableMax = tableMax;
    const launcher = new KernelLauncher(device, card.library, stream);
    // What comes back is f32.
    const activations = new Activations("f32", device.facts.architecture);
    this.#kernels = new AttentionKernels(launcher, activations, sizes, device.facts);
    const bytes = {
      q: CONTEXT_ROWS_MAX * this.#rowBytes,
      y: CONTEXT_ROWS_MAX * this.#rowBytes,
      lse: CONTEXT_ROWS_MAX * WORD * sizes.headCount,
      lists: WORD * (3 * CONTEXT_ROWS_MAX + tableMax),
    };
    const pinned = (byteCount: number) => device.allocateHost(byteCount);
    this.#host = { q: pinned(bytes.q), y: pinned(bytes.y), lse: pinned(bytes.lse), lists: pinned(bytes.lists) };
    const make = (byteCount: number) => memory.allocate("activations", byteCount);
    this.#card = {
      ...{ q: make(bytes.q), y: make(bytes.y), lse: make(bytes.lse), lists: make(bytes.lists) },
      sums: make(ATTENTION_PARTS_MAX * this.#rowBytes),
      marks: make(2 * WORD * ATTENTION_PARTS_MAX * sizes.headCount),
    };
  }

  /** Enqueues the attention of all queries, in one global layer, counted among these. There are at most as many rows and pages as fit. */
  enqueue(layer: number, asked: readonly AskedPages[]): void {
    const { pageRows } = this.#sizes;
    const lists = integers(this.#host.lists);
    const queries = floats(this.#host.q);
    let [row, words, longest] = [0, 0, 1];
    for (const { q_aQ, rowCount, pages } of asked) {
      queries.set(q_aQ, (row * this.#rowBytes) / WORD);
      const last = pages.length * pageRows - 1;
      lists.fill(words, row, row + rowCount);
      lists.fill(0, CONTEXT_ROWS_MAX + row, CONTEXT_ROWS_MAX + row + rowCount);
      lists.fill(last, 2 * CONTEXT_ROWS_MAX + row, 2 * CONTEXT_ROWS_MAX + row + rowCount);
      lists.set(pages, 3 * CONTEXT_ROWS_MAX + words);
      longest = Math.max(longest, last + 1);
      row += rowCount;
      words += pages.length;
    }
    const { q, y, lse, sums, marks } = this.#card;
    this.#device.copyFromHost(q, this.#host.q, 0, row * this.#rowBytes, this.#stream);
    const listBytes = WORD * (3 * CONTEXT_ROWS_MAX + words);
    this.#device.copyFromHost(this.#card.lists, this.#host.lists, 0, listBytes, this.#stream);
    const list = (index: number) => this.#card.lists + BigInt(index * WORD * CONTEXT_ROWS_MAX);
    this.#kernels.attend(row, {
      q,
      at: { pages: this.#pages, table: list(3), layer },
      places: { starts: list(0), firsts: list(1), slots: list(0) },
      positions: list(2),
      seen: longest,
      tiling: undefined,
      ...{ sums, marks, y, lse },
    });
    this.#device.copyToHost(this.#host.y, 0, y, row * this.#rowBytes, this.#stream);
    this.#device.copyToHost(this.#host.lse, 0, lse, row * WORD * this.#sizes.headCount, this.#stream);
  }

  /** What queries attended to, once the stream has come to it: copies of rows [first, first + count) to `attended` and `lse`, from row `to` on. */
  take(first: number, count: number, attended: Float32Array, lse: Float32Array, to: number): void {
    const width = this.#rowBytes / WORD;
    const { headCount } = this.#sizes;
    attended.set(floats(this.#host.y).subarray(first * width, (first + count) * width), to * width);
    lse.set(floats(this.#host.lse).subarray(first * headCount, (first + count) * headCount), to * headCount);
  }

  close(): void {
    for (const memory of Object.values(this.#host)) this.#device.freeHost(memory);
  }

  get #rowBytes(): number {
    return WORD * this.#sizes.headCount * this.#sizes.headDim;
  }
}

function floats({ bytes }: HostMemory): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}

function integers({ bytes }: HostMemory): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}
