import { assert } from "@drover/core";
import type { Kernel } from "../driver/cuda-device.ts";
import { formatMacros, type RowFormat } from "../model/weight-format.ts";
import { Activations, type Precision } from "./activations.ts";
import { i32, type KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { GatedProduct, Product } from "./product.ts";
import { SourceKernels } from "./source-kernels.ts";
import { type ShapeChoice, shapeOf, TileKernels } from "./tile-kernels.ts";

const ROWS_A_JOB = 8;
const OUTPUTS_A_BLOCK = 16;

/** Rows of a job of so many rows' experts: what one block of the kernel that multiplies them takes. */
export function rowsOfJob(rowCount: number, expertCount: number, precision: Precision): number {
  return precision === "f32"
    ? ROWS_A_JOB
    : shapeOf({ rowCount, expertCount, outSize: 0, bits: 0, isGated: false }).rows;
}

/** Jobs that so many rows can make, the shared expert's among them: full ones, and one for each expert that has fewer. */
export function jobCountMax(rowCount: number, expertCount: number, precision: Precision): number {
  const rows = rowsOfJob(rowCount, expertCount, precision);
  return Math.min(rowCount, Math.ceil(rowCount / rows) + expertCount) + Math.ceil(rowCount / rows);
}

/** Products of rows and matrices, each enqueued by one call. */
export class LinearKernels {
  readonly activations: Activations;
  /** What brings stored numbers into a form that is multiplied. */
  readonly sources: SourceKernels;
  readonly #launcher: KernelLauncher;
  readonly #tiles: TileKernels;

  /** `choose`: see {@link TileKernels}. */
  constructor(launcher: KernelLauncher, precision: Precision, choose?: ShapeChoice) {
    this.#launcher = launcher;
    this.activations = new Activations(precision, launcher.architecture);
    this.sources = new SourceKernels(launcher);
    this.#tiles = new TileKernels(launcher, this.activations, choose);
  }

  /** y [rows, out] f32 = x W^T. With a routing, each row times its expert's matrix. */
  multiply(rowCount: number, product: Product): void {
    const { linear, x, y, routing } = product;
    const { outSize, inSize, format, table } = linear;
    if (format.kind === "tiles") {
      this.#tiles.multiply(rowCount, product, format, undefined);
      return;
    }
    assert(this.activations.precision === "f32", "matrices that lie row by row multiply rows of f32");
    const sizes = [i32(rowCount), i32(outSize), i32(inSize)];
    const jobs = routing === undefined ? [NULL, NULL, NULL] : [routing.jobs, routing.jobCount, routing.order];
    const jobCount = routing?.jobCountMax ?? Math.ceil(rowCount / ROWS_A_JOB);
    const grid = [Math.ceil(outSize / OUTPUTS_A_BLOCK), jobCount, 1] as const;
    this.#launcher.launch(this.#linearKernel(format), grid, 128, [table, ...jobs, x, y, ...sizes]);
  }

  /** y [rows, out / 2] = silu(s gate) (s up), as activations divided by `factor`, of a matrix of tiles whose rows are gated; s the row's scale. */
  gate(rowCount: number, product: GatedProduct): void {
    const { format } = product.linear;
    assert(format.kind === "tiles", "gated products are of tiles");
    this.#tiles.multiply(rowCount, product, format, { scales: product.scales });
  }

  /** Rows of a job of so many rows of experts. */
  rowsOfJob(rowCount: number, expertCount: number): number {
    return rowsOfJob(rowCount, expertCount, this.activations.precision);
  }

  /** Brings stored rows into tiles. See {@link TileKernels.pack}. */
  pack(step: Parameters<TileKernels["pack"]>[0]): void {
    this.#tiles.pack(step);
  }

  #linearKernel(format: RowFormat): Kernel {
    return this.#launcher.kernel("linear", "linear", formatMacros(format));
  }
}
