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
/** Rows of one matrix up to which few_rows.cu multiplies on Hopper, and rows an expert on any card. */
const ALONE_ROWS_MAX = 16;
export const EXPERT_ROWS_MAX = 32;
/** The architecture that group.cuh's products are of: Hopper. */
export const HOPPER = 90;

/** How rows lie between products, as prelude.cuh says. */
export class Activations {
  readonly precision: Precision;
  readonly #isHopper: boolean;

  /** `architecture`: the card's. */
  constructor(precision: Precision, architecture: number) {
    this.precision = precision;
    this.#isHopper = architecture === HOPPER;
  }

  /** Value of the kernels' macro TERMS. */
  get terms(): number {
    return this.precision === "f32" ? 0 : TERMS;
  }

  /** Whether so many rows lie as group.cuh's products read them: all times one matrix, or spread over so many experts. */
  isGrouped(rowCount: number, expertCount = 0): boolean {
    const isMany = expertCount === 0 ? rowCount > ALONE_ROWS_MAX : rowCount > EXPERT_ROWS_MAX * expertCount;
    return this.#isHopper && this.precision === "f16" && isMany;
  }

  /** Macros of the kernels that read or write rows of a product. */
  macros(rowCount: number, expertCount = 0): Readonly<{ TERMS: number; ORDER: number }> {
    return { TERMS: this.terms, ORDER: this.isGrouped(rowCount, expertCount) ? 1 : 0 };
  }

  /** Numbers from one row's first term to its second's, or to the next row. */
  stride(width: number): number {
    return this.precision === "f32" ? width : Math.ceil(width / ROW_UNIT) * ROW_UNIT;
  }

  rowBytes(width: number): number {
    return this.precision === "f32" ? 4 * width : 2 * TERMS * this.stride(width);
  }
}
