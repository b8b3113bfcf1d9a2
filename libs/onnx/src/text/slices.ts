import { assert } from "@drover/core";

/** Cuts a stage's only output into its matrices, row-major [rowCount, width] each, in order. They are views: nothing is copied. */
export function slices(flat: Float32Array, rowCount: number, widths: readonly number[]): Float32Array[] {
  let at = 0;
  const views = widths.map((width) => {
    at += rowCount * width;
    return flat.subarray(at - rowCount * width, at);
  });
  assert(at === flat.length, "a stage returns what its widths say");
  return views;
}
