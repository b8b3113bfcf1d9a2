import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { WeightFormat } from "../model/weight-format.ts";

/** A matrix row by row on the card, such as the input embedding, [V, D]. */
export type RowMatrix = Readonly<{ kind: "f32" | "bf16"; address: DeviceAddress }>;

/** Matrices [out, in] of one format and shape on the card, such as those of a layer's experts. */
export type DeviceLinear = Readonly<{
  format: WeightFormat;
  outSize: number;
  inSize: number;
  count: number;
  /** Of each matrix where its numbers and its scales are: records of two addresses. */
  table: DeviceAddress;
  records: BigUint64Array;
}>;

/** Rows sorted by their experts, and the jobs that they make. */
export type Routing = Readonly<{
  /** Sigmoid of each row's best logit. */
  scales: DeviceAddress;
  order: DeviceAddress;
  jobs: DeviceAddress;
  jobCount: DeviceAddress;
  jobCountMax: number;
  /** Experts that rows are spread over. */
  expertCount: number;
}>;

/** What routes rows. `shared`: of the experts' matrices that all rows go to too, as rows from `fold` on. */
export type RouteStep = Readonly<{
  logits: DeviceAddress;
  live: DeviceAddress;
  places: DeviceAddress;
  chosen: DeviceAddress;
  routing: Routing;
  expertCount: number;
  stride: number;
  column: number;
  shared?: Readonly<{ matrix: number; fold: number }>;
}>;

/** A product of rows and a matrix, or of each row and its expert's. */
export type Product = Readonly<{
  linear: DeviceLinear;
  x: DeviceAddress;
  y: DeviceAddress;
  routing?: Routing;
  /** Of tiles: the first of the rows that are the shared expert's; 0: none are. */
  fold?: number;
  /** Of tiles: what the product is multiplied by, where x was divided by it. */
  factor?: number;
}>;

/** A layer's experts, or one SwiGLU: y [rows, width] as activations. */
export type GatedProduct = Product & Readonly<{ scales?: DeviceAddress }>;
