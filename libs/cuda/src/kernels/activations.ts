/**
 * What rows are computed in: f32 throughout; or f16, where a number that goes into a product is the sum of two f16, and the rest is f32. And what keys and values are kept as: f32, or
 * 16 bits a number with a scale for each head of a row.
 */
export const PRECISIONS = ["f32", "f16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Numbers of 16 bits that a row's width is filled up to: what the kernels of tiles read at once. */
const ROW_UNIT = 128;
/** f16 whose sum is a number. */
const TERMS = 2;

/** How rows lie between products, as prelude.cuh says. */
export class Activations {
  readonly precision: Precision;

  constructor(precision: Precision) {
    this.precision = precision;
  }

  /** Value of the kernels' macro TERMS. */
  get terms(): number {
    return this.precision === "f32" ? 0 : TERMS;
  }

  /** Numbers from one row's first term to its second's, or to the next row. */
  stride(width: number): number {
    return this.precision === "f32" ? width : Math.ceil(width / ROW_UNIT) * ROW_UNIT;
  }

  rowBytes(width: number): number {
    return this.precision === "f32" ? 4 * width : 2 * TERMS * this.stride(width);
  }
}
