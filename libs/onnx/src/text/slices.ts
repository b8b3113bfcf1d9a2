import { assert } from "@drover/core";

/** One matrix for each width. */
export type Slices<Widths extends readonly number[]> = { readonly [Index in keyof Widths]: Float32Array };

/** Cuts a stage's only output into its matrices, row-major [rowCount, width] each, in order. They are views: nothing is copied. */
export function slices<const Widths extends readonly number[]>(
  flat: Float32Array,
  rowCount: number,
  widths: Widths,
): Slices<Widths> {
  let end = 0;
  const views = widths.map((width) => {
    end += rowCount * width;
    return flat.subarray(end - rowCount * width, end);
  });
  assert(end === flat.length, "a stage returns what its widths say");
  return views as Slices<Widths>;
}
