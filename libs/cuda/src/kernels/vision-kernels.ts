import { assert } from "@drover/core";
import type { VisionShape } from "@drover/llama4";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import type { Activations, Precision } from "./activations.ts";
import { i32, KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { KernelLibrary, KernelMacros } from "./kernel-library.ts";
import { LinearKernels } from "./linear-kernels.ts";

/** What PyTorch's LayerNorm adds to the variance. The reference leaves it there, whatever `norm_eps` says. */
const EPSILON = 1e-5;
/** Queries of a block of tile_attention.cu and split_attention.cu, and keys that it has at once; numbers, and bytes, that keep rows apart in banks. */
const [QUERIES, KEYS, APART, APART_BYTES] = [64, 64, 4, 16];
/** The largest head of split_attention.cu, and its blocks on a multiprocessor. */
const [SPLIT_HEAD_MAX, SPLIT_BLOCKS] = [128, 2];
/** What a block of layer_norm.cu keeps. */
const NORM_WIDTH_MAX = 32_768;

/** Sizes of a vision encoder that are compiled into its kernels. */
export type VisionSizes = Pick<VisionShape, "hiddenSize" | "headCount" | "gridSize" | "patchSize" | "shuffle"> &
  Readonly<{ headDim: number }>;

/** Numbers of a patch as a product reads them: a multiple of eight. */
export function patchWidth({ patchSize }: Pick<VisionSizes, "patchSize">): number {
  return Math.ceil((3 * patchSize ** 2) / 8) * 8;
}

/** A norm of rows of h, to which other rows and a bias are added first. */
export type LayerNormStep = Readonly<{
  h: DeviceAddress;
  added?: Readonly<{ y: DeviceAddress; bias: DeviceAddress }>;
  weight: DeviceAddress;
  bias: DeviceAddress;
}>;

/** The kernels of a vision encoder on one card, each enqueued by one call. What each of them computes says its file. */
export class VisionKernels {
  readonly linears: LinearKernels;
  readonly #launcher: KernelLauncher;
  readonly #sizes: VisionSizes;

  constructor(device: CudaDevice, library: KernelLibrary, sizes: VisionSizes, precision: Precision, stream: Stream) {
    const { headDim, headCount, hiddenSize } = sizes;
    assert(headDim % 8 === 0 && headDim * headCount === hiddenSize, "heads have a multiple of eight numbers");
    assert(hiddenSize <= NORM_WIDTH_MAX, "a row is kept by one block");
    this.#launcher = new KernelLauncher(device, library, stream);
    this.linears = new LinearKernels(this.#launcher, precision);
    this.#sizes = sizes;
  }

  /** How rows lie between products. */
  get activations(): Activations {
    return this.linears.activations;
  }

  /** Rows of a tile: its patches', and the class's. */
  get tileRows(): number {
    return this.#sizes.gridSize ** 2 + 1;
  }

  /** x [tiles * patches, {@link patchWidth}] as activations of pixels u8 [tiles, side, side, 3]. */
  patches(tileCount: number, pixels: DeviceAddress, x: DeviceAddress): void {
    const { gridSize, patchSize } = this.#sizes;
    const width = patchWidth(this.#sizes);
    const own = this.activations.macros(tileCount * gridSize ** 2);
    const macros = { ...own, GRID: gridSize, PATCH: patchSize, WIDTH: width };
    const kernel = this.#launcher.kernel("patches", "patches", macros);
    const stride = i32(this.activations.stride(width));
    this.#launcher.launch(kernel, [gridSize ** 2, tileCount, 1], 128, [pixels, x, stride]);
  }

  /** h [tiles * rows of a tile, W] of projected patches, the class's row and all rows' positions. */
  tileRowsOf(
    tileCount: number,
    step: Readonly<Record<"projected" | "classRow" | "positions" | "h", DeviceAddress>>,
  ): void {
    const kernel = this.#launcher.kernel("tile_rows", "tileRows", {});
    const { projected, classRow, positions, h } = step;
    const args = [projected, classRow, positions, h, i32(this.#sizes.hiddenSize)];
    this.#launcher.launch(kernel, [this.tileRows, tileCount, 1], 128, args);
  }

  /** h of its own norm. */
  normalizeInPlace(rowCount: number, step: LayerNormStep): void {
    this.#layerNorm(rowCount, { ...this.activations.macros(rowCount), SHUFFLE: 0 }, step, NULL, 0);
  }

  /** x as activations of the norm. */
  normalize(rowCount: number, step: LayerNormStep & Readonly<{ x: DeviceAddress }>): void {
    const macros = { ...this.activations.macros(rowCount), SHUFFLE: 0 };
    this.#layerNorm(rowCount, macros, step, step.x, this.activations.stride(this.#sizes.hiddenSize));
  }

  /** x [tiles * squares, W * shuffle^2] as activations of the patches' norm, each square of patches one row. */
  normalizeShuffled(tileCount: number, step: LayerNormStep & Readonly<{ x: DeviceAddress }>): void {
    const { hiddenSize, gridSize, shuffle } = this.#sizes;
    const own = this.activations.macros(tileCount * (gridSize / shuffle) ** 2);
    const macros = { ...own, SHUFFLE: shuffle, GRID: gridSize };
    const stride = this.activations.stride(hiddenSize * shuffle ** 2);
    this.#layerNorm(tileCount * this.tileRows, macros, step, step.x, stride);
  }

  #layerNorm(rowCount: number, own: KernelMacros, step: LayerNormStep, x: DeviceAddress, stride: number): void {
    const { hiddenSize } = this.#sizes;
    const THREADS = Math.min(1024, Math.ceil(hiddenSize / 4 / 32) * 32);
    const kernel = this.#launcher.kernel("layer_norm", "layerNorm", { ...own, WIDTH: hiddenSize, THREADS });
    const { h, added, weight, bias } = step;
    const rows = [h, added?.y ?? NULL, added?.bias ?? NULL, weight, bias, x];
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, [...rows, i32(stride), { f32: EPSILON }]);
  }

  /** Queries, keys and values [tiles * rows of a tile, 3W] in place: with their bias, and turned; as {@link attend} reads them. */
  turnHeads(tileCount: number, step: Readonly<Record<"qkv" | "bias" | "angles", DeviceAddress>>): void {
    const { hiddenSize, headDim } = this.#sizes;
    const macros = { WIDTH: hiddenSize, HEAD: headDim, TERMS: this.#isSplit ? 2 : 0, ORDER: 0 };
    const kernel = this.#launcher.kernel("turn_heads", "turnHeads", macros);
    const rowCount = tileCount * this.tileRows;
    const grid = [Math.ceil((3 * hiddenSize * rowCount) / 2048), 1, 1] as const;
    this.#launcher.launch(kernel, grid, 256, [step.qkv, step.bias, step.angles, i32(this.tileRows), i32(rowCount)]);
  }

  /** y [tiles * rows of a tile, W] as activations: attention among the rows of each tile. */
  attend(tileCount: number, { qkv, y }: Readonly<Record<"qkv" | "y", DeviceAddress>>): void {
    const { hiddenSize, headCount, headDim } = this.#sizes;
    const { tileRows } = this;
    const macros = { ...this.activations.macros(tileCount * tileRows), HEADS: headCount, HEAD: headDim };
    const sizes = [i32(tileRows), i32(this.activations.stride(hiddenSize))];
    const args = [qkv, y, ...sizes, { f32: 1 / Math.sqrt(headDim) }];
    const grid = [Math.ceil(tileRows / QUERIES), headCount, tileCount] as const;
    if (this.#isSplit) {
      const kernel = this.#launcher.kernel("split_attention", "attendSplit", { ...macros, BLOCKS: SPLIT_BLOCKS });
      this.#launcher.launch(kernel, grid, 128, args, 2 * KEYS * (4 * headDim + APART_BYTES));
      return;
    }
    const kernel = this.#launcher.kernel("tile_attention", "attendTile", macros);
    const sharedBytes = 4 * ((QUERIES + 2 * KEYS) * (headDim + APART) + QUERIES * (KEYS + APART));
    this.#launcher.launch(kernel, grid, 256, args, sharedBytes);
  }

  /** Whether queries, keys and values become sums of two f16 in their places, for matrix instructions. */
  get #isSplit(): boolean {
    return this.activations.precision === "f16" && this.#sizes.headDim <= SPLIT_HEAD_MAX;
  }

  /** x as activations of y [rows, width] f32 with a bias, through GELU. */
  bend(rowCount: number, step: Readonly<Record<"y" | "bias" | "x", DeviceAddress> & { width: number }>): void {
    const macros = { ...this.activations.macros(rowCount), BEND: 1 };
    this.#bias(rowCount, macros, step, this.activations.stride(step.width));
  }

  /** y [rows, width] f32 with a bias. */
  addBias(rowCount: number, step: Readonly<Record<"y" | "bias", DeviceAddress> & { width: number }>): void {
    this.#bias(rowCount, { TERMS: 0, ORDER: 0, BEND: 0 }, { ...step, x: step.y }, step.width);
  }

  #bias(
    rowCount: number,
    macros: KernelMacros,
    { y, bias, x, width }: Parameters<VisionKernels["bend"]>[1],
    stride: number,
  ): void {
    const kernel = this.#launcher.kernel("bend", "bend", macros);
    const grid = [Math.ceil(width / 1024), rowCount, 1] as const;
    this.#launcher.launch(kernel, grid, 256, [y, bias, x, i32(width), i32(stride)]);
  }
}
