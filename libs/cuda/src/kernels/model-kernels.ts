import { assert } from "@drover/core";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { ATTENTION_PARTS_MAX } from "../limits.ts";
import { i32, KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { KernelLibrary } from "./kernel-library.ts";
import { LinearKernels, type Precision, type Product, type Routing, typeName } from "./linear-kernels.ts";

/** Sizes that are compiled into kernels. */
export type KernelSizes = Readonly<{
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  chunkSize: number;
  pageRows: number;
}>;

/** Where the rows of a step are in the pages of one kind of layers; each a list with a number a row. */
export type RowPlaces = Readonly<{
  /** Place in the table of the page that would have position 0. */
  starts: DeviceAddress;
  /** First position that the row sees. */
  firsts: DeviceAddress;
  /** Page * rows of a page + row within it, or negative: where the row's own keys and values go. */
  slots: DeviceAddress;
}>;

/** A layer's pages: the whole memory, and which of a page's units is the layer's. */
export type LayerPages = Readonly<{ pages: DeviceAddress; table: DeviceAddress; layer: number }>;

/** Parts that a row's positions are cut into, as `partRows` of attention.cu does it: at most 64, each of whole 64 positions. */
export function partCount(positionCount: number): number {
  const [partsMax, unit] = [64, 64];
  const rows = Math.max(1, Math.ceil(Math.ceil(positionCount / partsMax) / unit)) * unit;
  return Math.ceil(positionCount / rows);
}

/** The kernels of one model on one card, each enqueued by one call. What each of them computes says its file. */
export class ModelKernels {
  readonly #launcher: KernelLauncher;
  readonly #linears: LinearKernels;
  readonly #sizes: KernelSizes;
  /** The type of activations, and of keys and values. */
  readonly #type: "float" | "bf16" | "f16";

  constructor(device: CudaDevice, library: KernelLibrary, sizes: KernelSizes, precision: Precision, stream: Stream) {
    assert(sizes.headDim % 8 === 0, "a head's size is a multiple of eight");
    this.#launcher = new KernelLauncher(device, library, stream);
    this.#linears = new LinearKernels(this.#launcher, precision);
    this.#sizes = sizes;
    this.#type = typeName(precision);
  }

  /** h [rows, width] f32: the rows of a table that the ids name. */
  embed(
    rowCount: number,
    { ids, table, h, width }: Readonly<{ ids: DeviceAddress; table: EmbeddingTable; h: DeviceAddress; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("embed", "embed", { STORED: table.kind === "f32" ? "float" : "bf16" });
    this.#launcher.launch(kernel, [rowCount, 1, 1], 256, [ids, table.address, h, i32(width)]);
  }

  /** h += added, and x = its norm; `exact` takes the same in f32. With `rows`, x is of these rows of h alone. */
  normalize(
    rowCount: number,
    step: Readonly<{
      h: DeviceAddress;
      added: readonly DeviceAddress[];
      weight: DeviceAddress;
      x: DeviceAddress;
      exact?: DeviceAddress;
      rows?: DeviceAddress;
      width: number;
      epsilon: number;
    }>,
  ): void {
    const { h, weight, x, width, epsilon } = step;
    const [a = NULL, b = NULL, more] = step.added;
    assert(more === undefined, "a layer adds two rows at most");
    const kernel = this.#launcher.kernel("norm", "normalize", { ACTIVATION: this.#type });
    this.#launcher.launch(kernel, [rowCount, 1, 1], 256, [
      step.rows ?? NULL,
      h,
      a,
      b,
      weight,
      x,
      step.exact ?? NULL,
      i32(width),
      { f32: epsilon },
    ]);
  }

  /** See {@link LinearKernels.multiply}. */
  linear(rowCount: number, step: Product): void {
    this.#linears.multiply(rowCount, step);
  }

  /** Queries, keys and values: rotated, normed, with their temperature; keys and values go to their pages. */
  rotate(
    rowCount: number,
    step: Readonly<{
      qkv: DeviceAddress;
      q: DeviceAddress;
      at: LayerPages;
      places: RowPlaces;
      positions: DeviceAddress;
      /** Undefined: this layer does not rotate. */
      angles: DeviceAddress | undefined;
      temperatures: DeviceAddress | undefined;
      /** Of the heads' norm; 0: none. */
      epsilon: number;
    }>,
  ): void {
    const { headCount, kvHeadCount, headDim, chunkSize, pageRows } = this.#sizes;
    const kernel = this.#launcher.kernel("rotate", "rotate", {
      HEAD: headDim,
      QUERY_HEADS: headCount,
      KV_HEADS: kvHeadCount,
      CHUNK: chunkSize,
      PAGE_ROWS: pageRows,
      KV: this.#type,
    });
    this.#launcher.launch(kernel, [headCount + 2 * kvHeadCount, rowCount, 1], 32, [
      step.qkv,
      step.q,
      step.at.pages,
      step.positions,
      step.places.slots,
      step.angles ?? NULL,
      step.temperatures ?? NULL,
      i32(step.at.layer),
      { f32: step.epsilon },
    ]);
  }

  /** Rows' attention to what they see: y [rows, H*d]. `parts`: the most that a row's positions are cut into, see {@link partCount}. */
  attend(
    rowCount: number,
    step: Readonly<{
      q: DeviceAddress;
      at: LayerPages;
      places: RowPlaces;
      positions: DeviceAddress;
      parts: number;
      /** [ATTENTION_PARTS_MAX, H, d] f32, and as many pairs. */
      sums: DeviceAddress;
      marks: DeviceAddress;
      y: DeviceAddress;
    }>,
  ): void {
    const { headCount, kvHeadCount, headDim, pageRows } = this.#sizes;
    const macros = {
      HEAD: headDim,
      GROUP: headCount / kvHeadCount,
      KV_HEADS: kvHeadCount,
      PAGE_ROWS: pageRows,
      KV: this.#type,
      ACTIVATION: this.#type,
    };
    const attend = this.#launcher.kernel("attention", "attend", macros);
    const merge = this.#launcher.kernel("attention", "merge", macros);
    const { at, places, positions, parts, sums, marks } = step;
    const rowsMax = Math.max(1, Math.floor(ATTENTION_PARTS_MAX / parts));
    const scale = { f32: 1 / Math.sqrt(headDim) };
    const width = headCount * headDim;
    for (let first = 0; first < rowCount; first += rowsMax) {
      const rows = Math.min(rowsMax, rowCount - first);
      const from = (list: DeviceAddress) => list + BigInt(4 * first);
      const [starts, firsts, last] = [from(places.starts), from(places.firsts), from(positions)];
      const q = step.q + BigInt(4 * first * width);
      const y = step.y + BigInt(this.activationBytes * first * width);
      const args = [q, at.pages, at.table, starts, firsts, last, sums, marks, i32(at.layer), scale];
      this.#launcher.launch(attend, [parts, kvHeadCount, rows], 128, args);
      this.#launcher.launch(merge, [headCount, rows, 1], headDim, [sums, marks, firsts, last, y, NULL, i32(parts)]);
    }
  }

  /** Each row's expert. `live`: how many of the rows are routed; `chosen` [rows, stride] takes the experts in a column of its own. */
  route(
    step: Readonly<{
      logits: DeviceAddress;
      live: DeviceAddress;
      places: DeviceAddress;
      chosen: DeviceAddress;
      routing: Routing;
      expertCount: number;
      stride: number;
      column: number;
    }>,
  ): void {
    const { scales, order, jobs, jobCount } = step.routing;
    const kernel = this.#launcher.kernel("route", "route", {});
    const sizes = [i32(step.expertCount), i32(step.stride), i32(step.column)];
    const lists = [step.logits, step.live, step.places, step.chosen, scales, order, jobs, jobCount];
    this.#launcher.launch(kernel, [1, 1, 1], 1024, [...lists, ...sizes]);
  }

  /** out [rows, width] of gateUp [rows, 2 width]; `scales`: of each row's input. */
  swiglu(
    rowCount: number,
    step: Readonly<{ gateUp: DeviceAddress; scales?: DeviceAddress; out: DeviceAddress; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("swiglu", "swiglu", { ACTIVATION: this.#type });
    this.#launcher.launch(kernel, [Math.ceil(step.width / 256), rowCount, 1], 256, [
      step.gateUp,
      step.scales ?? NULL,
      step.out,
      i32(step.width),
    ]);
  }

  /** Of each row of logits the likeliest ids, the log-sum-exp, and the logit of the asked id. */
  rank(
    rowCount: number,
    step: Readonly<{
      logits: DeviceAddress;
      asked: DeviceAddress;
      ids: DeviceAddress;
      values: DeviceAddress;
      logSumExps: DeviceAddress;
      askedValues: DeviceAddress;
      vocabSize: number;
      topCount: number;
    }>,
  ): void {
    const kernel = this.#launcher.kernel("rank", "rank", {});
    const out = [step.ids, step.values, step.logSumExps, step.askedValues];
    this.#launcher.launch(kernel, [rowCount, 1, 1], 1024, [
      step.logits,
      step.asked,
      ...out,
      i32(step.vocabSize),
      i32(step.topCount),
    ]);
  }

  get activationBytes(): number {
    return this.#type === "float" ? 4 : 2;
  }
}

/** The input embedding on the card, [V, D]. */
export type EmbeddingTable = Readonly<{ kind: "f32" | "bf16"; address: DeviceAddress }>;
