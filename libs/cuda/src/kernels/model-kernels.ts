import { assert } from "@drover/core";
import type { CudaDevice, DeviceAddress, KernelArgument, Stream } from "../driver/cuda-device.ts";
import type { Activations, Precision } from "./activations.ts";
import { type Attention, AttentionKernels } from "./attention-kernels.ts";
import { i32, KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { KernelLibrary, KernelMacros } from "./kernel-library.ts";
import { type KernelSizes, kvType, type LayerPages, type RowPlaces } from "./kernel-sizes.ts";
import { LinearKernels, rowsOfJob } from "./linear-kernels.ts";
import type { GatedProduct, Product, RouteStep, RowMatrix } from "./product.ts";

/** What a block of norm.cu keeps, rows that one of router.cu has, and up to which route.cu needs few threads. */
const [NORM_WIDTH_MAX, ROUTER_ROWS, ROUTE_ROWS_FEW] = [32_768, 4, 64];
/** Parts that rank.cu cuts a row's logits into, and how many a part has at least. */
const [RANK_PARTS_MAX, RANK_PART_MIN] = [32, 4096];
/** A row of logits from which on draw.cu has many threads. */
const DRAW_ROW_LARGE = 8192;

/** Rows up to which each has blocks of its own that norm it and choose its expert: more are faster one thing after the other. */
export const CHOOSING_ROWS_MAX = 16;

/** Whole warps for so many things to do at once. */
function threadsFor(count: number, most: number): number {
  return Math.min(most, Math.ceil(count / 32) * 32);
}

/** Bytes of what ranking so many rows leaves between its two kernels. */
export function rankBytes(rowCount: number, topCount: number): Readonly<{ candidates: number; marks: number }> {
  return { candidates: 8 * rowCount * RANK_PARTS_MAX * topCount, marks: 8 * rowCount * RANK_PARTS_MAX };
}

/** The kernels of one model on one card, each enqueued by one call. What each of them computes says its file. */
export class ModelKernels {
  readonly #launcher: KernelLauncher;
  readonly linears: LinearKernels;
  readonly #sizes: KernelSizes;
  readonly #attention: AttentionKernels;
  /** The type of keys and values. */
  readonly #kvType: "float" | "i16";

  constructor(device: CudaDevice, library: KernelLibrary, sizes: KernelSizes, precision: Precision, stream: Stream) {
    assert(sizes.headDim % 8 === 0, "a head's size is a multiple of eight");
    this.#launcher = new KernelLauncher(device, library, stream);
    this.linears = new LinearKernels(this.#launcher, precision, sizes.choose);
    this.#sizes = sizes;
    this.#kvType = kvType(sizes);
    this.#attention = new AttentionKernels(this.#launcher, this.activations, sizes, device.facts);
  }

  /** How rows lie between products. */
  get activations(): Activations {
    return this.linears.activations;
  }

  /** Rows of a tile of a prompt; 0 where each row of a prompt reads its keys and values by itself. */
  get tileRows(): number {
    return this.#attention.tileRows;
  }

  /** h [rows, width] f32: the rows of a table that the ids name. */
  embed(
    rowCount: number,
    { ids, table, h, width }: Readonly<{ ids: DeviceAddress; table: RowMatrix; h: DeviceAddress; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("embed", "embed", { STORED: storedType(table) });
    this.#launcher.launch(kernel, [rowCount, 1, 1], 256, [ids, table.address, h, i32(width)]);
  }

  /** The ids of rows that follow the step before: see follow.cu. */
  follow(
    rowCount: number,
    step: Readonly<
      Record<"from" | "top" | "drawn" | "ids", DeviceAddress> & { recordBytes: number; vocabSize: number }
    >,
  ): void {
    const kernel = this.#launcher.kernel("follow", "follow", {});
    const sizes = [i32(step.recordBytes / 4), i32(step.vocabSize)];
    this.#launcher.launch(kernel, [1, 1, 1], rowCount, [step.from, step.top, step.drawn, step.ids, ...sizes]);
  }

  /** h = `before` + added, and x = its norm; `exact` takes the same in f32. With `rows`, x is of these rows of h alone. */
  normalize(
    rowCount: number,
    step: Readonly<{
      /** h itself where it is not given. */
      before?: DeviceAddress;
      h: DeviceAddress;
      added: readonly DeviceAddress[];
      weight: DeviceAddress;
      x: DeviceAddress;
      exact?: DeviceAddress;
      /** The same as few_rows.cu reads it, for experts where x lies otherwise. */
      other?: DeviceAddress;
      rows?: DeviceAddress;
      width: number;
      epsilon: number;
    }>,
  ): void {
    const { h, weight, x, width, epsilon } = step;
    const [a = NULL, b = NULL, more] = step.added;
    assert(more === undefined, "a layer adds two rows at most");
    assert(width % 4 === 0 && width <= NORM_WIDTH_MAX, "a row is kept by one block");
    const THREADS = threadsFor(width / 4, 1024);
    const macros = { ...this.activations.macros(rowCount), WIDTH: width, THREADS };
    const kernel = this.#launcher.kernel("norm", "normalize", macros);
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, [
      step.rows ?? NULL,
      step.before ?? h,
      h,
      a,
      b,
      weight,
      x,
      step.exact ?? NULL,
      step.other ?? NULL,
      i32(this.activations.stride(width)),
      { f32: epsilon },
    ]);
  }

  /** See {@link LinearKernels.multiply}. */
  linear(rowCount: number, step: Product): void {
    this.linears.multiply(rowCount, step);
  }

  /** See {@link LinearKernels.gate}. */
  gate(rowCount: number, step: GatedProduct): void {
    this.linears.gate(rowCount, step);
  }

  /** logits [rows, E] f32 of rows in f32. */
  router(
    rowCount: number,
    step: Readonly<{ x: DeviceAddress; matrix: RowMatrix; logits: DeviceAddress; expertCount: number; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("router", "router", { STORED: storedType(step.matrix) });
    const grid = [step.expertCount, Math.ceil(rowCount / ROUTER_ROWS), 1] as const;
    const args = [step.x, step.matrix.address, step.logits, i32(rowCount), i32(step.width)];
    this.#launcher.launch(kernel, grid, threadsFor(step.width / 8, 256), args);
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
      KV: this.#kvType,
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

  /** See {@link AttentionKernels.attend}. */
  attend(rowCount: number, step: Attention): void {
    this.#attention.attend(rowCount, step);
  }

  /** See {@link AttentionKernels.fold}. */
  fold(rowCount: number, step: Parameters<AttentionKernels["fold"]>[1]): void {
    this.#attention.fold(rowCount, step);
  }

  /**
   * Each row's expert. `live`: how many of the rows are routed; `chosen` [rows, stride] takes the experts in a column of its own. `shared`: the matrix that all rows go to
   * too, as rows from `fold` on.
   */
  route(rowCount: number, step: RouteStep): void {
    const kernel = this.#launcher.kernel("route", "route", this.#routeMacros(rowCount, step));
    // A warp for each row and expert, and lanes for each row.
    const threads = threadsFor(32 * Math.max(rowCount, step.expertCount), rowCount > ROUTE_ROWS_FEW ? 1024 : 256);
    this.#launcher.launch(kernel, [1, 1, 1], threads, routeArguments(step));
  }

  /** Whether so many rows may choose in one launch. In f32 they do not: a row's result is to have the same bits beside any others. */
  canChoose(rowCount: number): boolean {
    return this.activations.precision === "f16" && rowCount <= CHOOSING_ROWS_MAX;
  }

  /** h = `before` + added, x and `exact` its norm, and each row's expert, as {@link normalize}, {@link router} and {@link route} have them. `before` is not h; `arrived` is 0. */
  choose(
    rowCount: number,
    step: RouteStep &
      Readonly<{
        before: DeviceAddress;
        added: DeviceAddress;
        h: DeviceAddress;
        weight: DeviceAddress;
        matrix: RowMatrix;
        x: DeviceAddress;
        exact: DeviceAddress;
        arrived: DeviceAddress;
        width: number;
        epsilon: number;
      }>,
  ): void {
    const { before, added, h, weight, matrix, x, exact, arrived, width, epsilon, expertCount } = step;
    assert(width % 8 === 0, "a router's rows are read by eight numbers");
    const own = { WIDTH: width, STORED: storedType(matrix), ...this.#routeMacros(rowCount, step) };
    const kernel = this.#launcher.kernel("choose", "choose", { ...this.activations.macros(rowCount), ...own });
    const rows = [before, added, h, weight, matrix.address, x, exact, arrived];
    const args = [...rows, ...routeArguments(step), i32(this.activations.stride(width)), { f32: epsilon }];
    this.#launcher.launch(kernel, [expertCount + 1, rowCount, 1], 256, args);
  }

  #routeMacros(rowCount: number, { expertCount }: RouteStep): KernelMacros {
    return { ROWS: rowsOfJob(rowCount, expertCount, this.activations.precision) };
  }

  /** out [rows, width] f32 of gateUp [rows, 2 width]; `scales`: of each row's input. */
  swiglu(
    rowCount: number,
    step: Readonly<{ gateUp: DeviceAddress; scales?: DeviceAddress; out: DeviceAddress; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("swiglu", "swiglu", {});
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
      /** Of each row and part the best and their marks: {@link rankBytes}. */
      candidates: DeviceAddress;
      marks: DeviceAddress;
      asked: DeviceAddress;
      ids: DeviceAddress;
      values: DeviceAddress;
      logSumExps: DeviceAddress;
      askedValues: DeviceAddress;
      vocabSize: number;
      topCount: number;
    }>,
  ): void {
    const macros = { PARTS: Math.min(RANK_PARTS_MAX, Math.ceil(step.vocabSize / RANK_PART_MIN)) };
    const parts = this.#launcher.kernel("rank", "rankParts", macros);
    const sizes = [i32(step.vocabSize), i32(step.topCount)];
    const { logits, candidates, marks } = step;
    this.#launcher.launch(parts, [macros.PARTS, rowCount, 1], 256, [logits, candidates, marks, ...sizes]);
    const out = [step.ids, step.values, step.logSumExps, step.askedValues];
    const kernel = this.#launcher.kernel("rank", "rank", macros);
    this.#launcher.launch(kernel, [rowCount, 1, 1], 128, [logits, candidates, marks, step.asked, ...out, ...sizes]);
  }

  /** A token of each draw, as draw.cu says; `scores` has room for as many rows as there are draws. */
  draw(
    drawCount: number,
    step: Readonly<
      Record<"logits" | "scores" | "draws" | "words" | "values" | "drawn", DeviceAddress> & { vocabSize: number }
    >,
  ): void {
    const THREADS = step.vocabSize < DRAW_ROW_LARGE ? 128 : 1024;
    const kernel = this.#launcher.kernel("draw", "draw", { THREADS });
    const { logits, scores, draws, words, values, drawn } = step;
    const args = [logits, scores, draws, words, values, drawn, i32(step.vocabSize)];
    this.#launcher.launch(kernel, [drawCount, 1, 1], THREADS, args);
  }
}

function routeArguments(step: RouteStep): readonly KernelArgument[] {
  const { scales, order, jobs, jobCount } = step.routing;
  const { matrix, fold } = step.shared ?? { matrix: -1, fold: 0 };
  const sizes = [step.expertCount, step.stride, step.column, matrix, fold].map(i32);
  return [step.logits, step.live, step.places, step.chosen, scales, order, jobs, jobCount, ...sizes];
}

function storedType({ kind }: RowMatrix): "float" | "bf16" {
  return kind === "f32" ? "float" : "bf16";
}
