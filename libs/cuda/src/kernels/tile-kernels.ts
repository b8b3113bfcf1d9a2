import { assert } from "@drover/core";
import type { DeviceAddress, Kernel } from "../driver/cuda-device.ts";
import { bitsOf, type TileFormat, tileExtent, tileMacros } from "../model/weight-format.ts";
import { type Activations, EXPERT_ROWS_MAX } from "./activations.ts";
import { type GroupShape, groupBytes, groupShape } from "./group-shape.ts";
import { i32, type KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { KernelMacros } from "./kernel-library.ts";
import type { Product } from "./product.ts";

/** Which kernel multiplies, with which macros, and how many rows a job of it has. */
export type TileShape = Readonly<
  | { file: "few_rows"; rows: number; TILES: number; GROUPS: number; WARPS: number; BLOCKS: number; ACROSS: 0 | 1 }
  | { file: "many_rows"; rows: number; OUT_WARPS: number; ROW_WARPS: number; K_WARPS: number; STAGES: number }
>;

/** Rows of a warp of many_rows.cu, and bytes that its turns take for a warp's rows and a part of the inputs. */
const [WARP_ROWS, TURN_BYTES] = [64, 8192];
/** Rows of eight columns of few_rows.cu. */
const GROUP_ROWS = 4;
/** From so many outputs on a block may have 64 of them and all multiprocessors have blocks. */
const [WIDE_OUTPUTS, HEAD_OUTPUTS] = [12_000, 100_000];
/** Rows a matrix, beyond which rows come through shared memory on cards other than Hopper's. */
const DENSE_ROWS_MAX = 64;

/** Rows up to which most jobs are of one row or two. */
const JOINED_ROWS_MAX = 16;

/** Kernel and macros for what is multiplied. */
export type ShapeChoice = (work: Work) => TileShape;

/** What is multiplied: so many rows, by experts that they are spread over (0: by one matrix), of so many outputs and numbers of so many bits. */
export type Work = Readonly<{ rowCount: number; expertCount: number; outSize: number; bits: number; isGated: boolean }>;

/** few_rows.cu for so many rows a job: as many outputs a block, and blocks a multiprocessor, as registers allow. Measured on an H200 by bench/gpu/product-shapes.ts. */
function fewRows(rows: number, { rowCount, expertCount, outSize, bits, isGated }: Work): TileShape {
  const GROUPS = rows / GROUP_ROWS;
  const isSmall = bits === 4;
  const isWide = isSmall && outSize >= WIDE_OUTPUTS;
  const isRouted = expertCount > 0;
  // Blocks beside each other read neighbouring weights then.
  const ACROSS = isRouted && (rowCount > JOINED_ROWS_MAX || (isSmall && GROUPS === 2)) ? 1 : 0;
  const file = { file: "few_rows", rows, GROUPS, ACROSS } as const;
  const isDown = isSmall && isRouted && !isWide && !isGated;
  // The blocks of one row's two jobs, its expert's and the shared one's, are all there at once so.
  if (isDown && GROUPS === 1 && rowCount === 1) return { ...file, TILES: 3, WARPS: 8, BLOCKS: 2 };
  if (GROUPS === 1) return { ...file, TILES: isWide ? 4 : 2, WARPS: 8, BLOCKS: bits > 8 ? 1 : 2 };
  if (GROUPS === 2 && isSmall && isRouted) return { ...file, TILES: 2, WARPS: 4, BLOCKS: 5 };
  if (GROUPS === 2) return { ...file, TILES: 2, WARPS: 8, BLOCKS: bits > 8 ? 1 : 2 };
  if (isSmall && !isWide && rowCount <= JOINED_ROWS_MAX) return { ...file, TILES: 2, WARPS: 8, BLOCKS: 2 };
  return { ...file, TILES: isWide ? 4 : 2, WARPS: 4, BLOCKS: isSmall && !isWide ? 2 : 1 };
}

/** Kernel and macros for some work. Rows of a job do not depend on the outputs: products of one list of jobs agree about it. */
export function shapeOf(work: Work): TileShape {
  const { rowCount, expertCount, outSize } = work;
  const each = expertCount === 0 ? rowCount : rowCount / expertCount;
  const [few, more] = expertCount === 0 ? [4, 8] : [0.25, 5];
  if (each <= few) return fewRows(4, work);
  if (each <= more) return fewRows(8, work);
  const isHead = outSize >= HEAD_OUTPUTS && each > EXPERT_ROWS_MAX;
  if (each <= (expertCount === 0 ? DENSE_ROWS_MAX : EXPERT_ROWS_MAX) && !isHead) return fewRows(16, work);
  if (isHead && each <= WARP_ROWS)
    return { file: "many_rows", rows: WARP_ROWS, OUT_WARPS: 8, ROW_WARPS: 1, K_WARPS: 1, STAGES: 3 };
  return { file: "many_rows", rows: 2 * WARP_ROWS, OUT_WARPS: 4, ROW_WARPS: 2, K_WARPS: 1, STAGES: 3 };
}

/** Rows [first, first + rows) of a matrix on the card, row by row, and their scales. */
export type StoredPart = Readonly<{ source: DeviceAddress; stored: DeviceAddress; first: number; rows: number }>;

type LaunchedKernel = Readonly<{
  kernel: Kernel;
  threads: number;
  sharedBytes: number;
  rows: number;
  blockTiles: number;
  /** Blocks that have the same outputs. */
  split?: number;
  /** Whether blocks that lie behind each other have other outputs of one job, and not other jobs. */
  isAcross?: boolean;
}>;

/** Products of f16 rows and matrices in tiles (tensor.cuh). */
export class TileKernels {
  readonly #launcher: KernelLauncher;
  readonly #activations: Activations;
  readonly #shapeOf: ShapeChoice;

  /** `choose`: how few rows are multiplied, in place of what was measured to be fast. */
  constructor(launcher: KernelLauncher, activations: Activations, choose: ShapeChoice = shapeOf) {
    this.#launcher = launcher;
    this.#activations = activations;
    this.#shapeOf = choose;
  }

  /** y [rows, out] f32, or, gated, [rows, out / 2] as activations. */
  multiply(
    rowCount: number,
    { linear, x, y, routing, fold = 0, factor = 1 }: Product,
    format: TileFormat,
    gated: Readonly<{ scales: DeviceAddress | undefined }> | undefined,
  ): void {
    const { outSize, inSize, table } = linear;
    const activations = this.#activations;
    assert(activations.precision === "f16", "tiles multiply rows of f16");
    const expertCount = routing?.expertCount ?? 0;
    const bits = bitsOf(format);
    const { tileCount, spanCount } = tileExtent(outSize, inSize);
    const macros = { ...activations.macros(rowCount, expertCount), GATED: gated === undefined ? 0 : 1 };
    const launched = activations.isGrouped(rowCount, expertCount)
      ? this.#groupKernel(
          format,
          macros,
          groupShape({ rowCount, expertCount, outSize, spanCount, bits, isGated: macros.GATED === 1 }),
        )
      : this.#kernel(
          format,
          macros,
          this.#shapeOf({ rowCount, expertCount, outSize, bits, isGated: gated !== undefined }),
        );
    const { kernel, threads, sharedBytes, rows, blockTiles, split = 1, isAcross = false } = launched;
    const jobCount = routing?.jobCountMax ?? Math.ceil(rowCount / rows);
    const blocks = Math.ceil(tileCount / blockTiles);
    // Jobs of one matrix are neighbours, so that its weights come from memory once.
    const few = isAcross ? ([blocks, jobCount, 1] as const) : ([jobCount, blocks, 1] as const);
    const grid = macros.ORDER === 1 ? ([jobCount * blocks * split, 1, 1] as const) : few;
    const jobs = routing === undefined ? [NULL, NULL, NULL] : [routing.jobs, routing.jobCount, routing.order];
    const yStride = gated === undefined ? outSize : activations.stride(outSize / 2);
    const sizes = [rowCount, fold, outSize, spanCount, activations.stride(inSize), yStride].map(i32);
    const args = [table, ...jobs, gated?.scales ?? NULL, x, y, ...sizes, { f32: factor }];
    this.#launcher.launch(kernel, grid, threads, args, sharedBytes);
  }

  /**
   * Brings stored rows into tiles: `kind` says what they are stored as, the format what they become. `first` is a multiple of 16. Integers have a scale for each block, e4m3 one
   * for each output (`stored`); other types get a power of two.
   */
  pack(
    step: StoredPart &
      Readonly<{
        kind: "f32" | "bf16" | "e4m3" | "blocks";
        format: TileFormat;
        tiles: DeviceAddress;
        scales: DeviceAddress;
        outSize: number;
        inSize: number;
        isGated: boolean;
      }>,
  ): void {
    const { format, kind, source, stored, tiles, scales, first, rows, outSize, inSize } = step;
    const macros = tileMacros(format);
    const SOURCE = { f32: 0, bf16: 1, e4m3: 2, blocks: macros.WEIGHT }[kind];
    const own = { ...macros, SOURCE, TILES: 1 };
    assert(!step.isGated || outSize % 32 === 0, "a gated matrix has whole tiles of gate and of up");
    const isGated = i32(step.isGated ? 1 : 0);
    if (kind !== "blocks") {
      const kernel = this.#launcher.kernel("pack", "outputScales", own);
      const args = [source, stored, scales, i32(first), i32(outSize), i32(inSize), isGated];
      this.#launcher.launch(kernel, [rows, 1, 1], 128, args);
    }
    const kernel = this.#launcher.kernel("pack", "pack", own);
    const grid = [2 * tileExtent(outSize, inSize).spanCount, Math.ceil(rows / 16), 1] as const;
    const sizes = [first, rows, outSize, inSize].map(i32);
    this.#launcher.launch(kernel, grid, 128, [source, stored, tiles, scales, ...sizes, isGated]);
  }

  #kernel(format: TileFormat, own: KernelMacros, shape: TileShape): LaunchedKernel {
    const { file, rows, ...sizes } = shape;
    const { terms } = this.#activations;
    const macros = { ...tileMacros(format), ...own, ...sizes };
    if (shape.file === "few_rows") {
      const kernel = this.#launcher.kernel("few_rows", "fewRows", macros);
      return {
        kernel,
        threads: 32 * shape.WARPS,
        sharedBytes: 0,
        rows,
        blockTiles: shape.TILES,
        isAcross: shape.ACROSS === 1,
      };
    }
    const { OUT_WARPS, ROW_WARPS, K_WARPS, STAGES } = shape;
    const kernel = this.#launcher.kernel("many_rows", "manyRows", { ...macros, TILES: 2 });
    const turns = STAGES * K_WARPS * ROW_WARPS * terms * TURN_BYTES;
    const sums = OUT_WARPS * ROW_WARPS * (K_WARPS - 1) * TURN_BYTES;
    const threads = 32 * OUT_WARPS * ROW_WARPS * K_WARPS;
    return { kernel, threads, sharedBytes: Math.max(turns, sums), rows, blockTiles: 2 * OUT_WARPS };
  }

  #groupKernel(format: TileFormat, own: KernelMacros, shape: GroupShape): LaunchedKernel {
    const kernel = this.#launcher.kernel("group_rows", "groupRows", { ...tileMacros(format), ...own, ...shape });
    const { TILES, OUT_GROUPS, ROWS, SPLIT: split } = shape;
    return { kernel, ...groupBytes(shape, bitsOf(format)), rows: ROWS, blockTiles: 4 * TILES * OUT_GROUPS, split };
  }
}
