import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { Precision } from "./activations.ts";
import type { ShapeChoice } from "./tile-kernels.ts";

/** Sizes that are compiled into kernels. */
export type KernelSizes = Readonly<{
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  chunkSize: number;
  pageRows: number;
  /** What keys and values are kept as: f32, or 16 bits a number as kv.cuh says. */
  kv: Precision;
  /** Which kernels multiply few rows, where it is not those that were measured to be fast. */
  choose?: ShapeChoice;
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

/** The type of keys and values in kernels' sources. */
export function kvType({ kv }: Pick<KernelSizes, "kv">): "float" | "i16" {
  return kv === "f32" ? "float" : "i16";
}
