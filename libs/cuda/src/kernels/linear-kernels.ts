import { assert } from "@drover/core";
import type { DeviceAddress, Kernel } from "../driver/cuda-device.ts";
import type { DeviceLinear } from "../model/device-linear.ts";
import { formatMacros } from "../model/weight-format.ts";
import { i32, type KernelLauncher, NULL } from "./kernel-launcher.ts";

/** What activations and the cache are kept as. Sums, and the residual stream, are f32 in each. */
export const PRECISIONS = ["f32", "bf16", "f16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Rows sorted by their experts, and the jobs that they make. */
export type Routing = Readonly<{
  /** Sigmoid of each row's best logit. */
  scales: DeviceAddress;
  order: DeviceAddress;
  jobs: DeviceAddress;
  jobCount: DeviceAddress;
  jobCountMax: number;
}>;

/** A product of rows and a matrix, or of each row and its expert's. */
export type Product = Readonly<{
  linear: DeviceLinear;
  x: DeviceAddress;
  y: DeviceAddress;
  /** What x is kept as; activations unless it says so. */
  input?: "f32";
  routing?: Routing;
}>;

const ROWS_A_JOB = 8;
const OUTPUTS_A_BLOCK = 16;
/** Warps of a block of tensor_linear.cu: always the same, so that sums have one order. */
const TENSOR_WARPS = 8;

/** Macros of tensor_linear.cu for so many rows a job: more rows at once read the weights fewer times, and leave registers for fewer outputs. */
function tensorShape(rowCount: number, isRouted: boolean): Readonly<{ TILES: number; GROUPS: number; WARPS: number }> {
  const groups = isRouted ? 1 : Math.min(8, 2 ** Math.ceil(Math.log2(Math.max(1, rowCount / ROWS_A_JOB))));
  return { TILES: groups === 8 ? 1 : 2, GROUPS: groups, WARPS: TENSOR_WARPS };
}

/** Jobs that so many rows can make: full ones, and one for each expert that has fewer. */
export function jobCountMax(rowCount: number, expertCount: number): number {
  return Math.min(rowCount, Math.ceil(rowCount / ROWS_A_JOB) + expertCount);
}

/** A precision's type in kernels. */
export function typeName(precision: Precision): "float" | "bf16" | "f16" {
  return precision === "f32" ? "float" : precision;
}

/** Products of rows and matrices, each enqueued by one call. */
export class LinearKernels {
  readonly #launcher: KernelLauncher;
  readonly #precision: Precision;

  constructor(launcher: KernelLauncher, precision: Precision) {
    this.#launcher = launcher;
    this.#precision = precision;
  }

  /** y [rows, out] f32 = x W^T. With a routing, each row times its expert's matrix. */
  multiply(rowCount: number, { linear, x, y, input, routing }: Product): void {
    const { outSize, inSize, format, table } = linear;
    const sizes = [i32(rowCount), i32(outSize), i32(inSize)];
    const jobs = routing === undefined ? [NULL, NULL, NULL] : [routing.jobs, routing.jobCount, routing.order];
    const args = [table, ...jobs, x, y, ...sizes];
    if (format.kind === "tiles") {
      const shape = tensorShape(rowCount, routing !== undefined);
      const jobCount = routing?.jobCountMax ?? Math.ceil(rowCount / (ROWS_A_JOB * shape.GROUPS));
      const grid = [outSize / (16 * shape.TILES), jobCount, 1] as const;
      this.#launcher.launch(this.#tensorKernel(format.blockSize, shape), grid, 32 * shape.WARPS, args);
      return;
    }
    const jobCount = routing?.jobCountMax ?? Math.ceil(rowCount / ROWS_A_JOB);
    const grid = [Math.ceil(outSize / OUTPUTS_A_BLOCK), jobCount, 1] as const;
    this.#launcher.launch(this.#linearKernel(format, input), grid, 128, args);
  }

  /** A matrix of 4 bits row by row, with its scales, to tiles. */
  pack(
    step: Readonly<{
      packed: DeviceAddress;
      scales: DeviceAddress;
      tiles: DeviceAddress;
      pairs: DeviceAddress;
      outSize: number;
      inSize: number;
      blockSize: 64 | 128;
    }>,
  ): void {
    const { outSize, inSize, blockSize } = step;
    const kernel = this.#launcher.kernel("pack", "pack", { BLOCK: blockSize });
    const lists = [step.packed, step.scales, step.tiles, step.pairs];
    this.#launcher.launch(kernel, [inSize / 64, outSize / 16, 1], 128, [...lists, i32(outSize), i32(inSize)]);
  }

  #linearKernel(format: Parameters<typeof formatMacros>[0], input: "f32" | undefined): Kernel {
    const macros = { INPUT: input === "f32" ? "float" : typeName(this.#precision), OUTPUT: "float" };
    return this.#launcher.kernel("linear", "linear", { ...formatMacros(format), ...macros });
  }

  #tensorKernel(blockSize: number, shape: ReturnType<typeof tensorShape>): Kernel {
    assert(this.#precision === "f16", "tiles multiply rows of f16");
    return this.#launcher.kernel("tensor_linear", "tensorLinear", { BLOCK: blockSize, ...shape });
  }
}
