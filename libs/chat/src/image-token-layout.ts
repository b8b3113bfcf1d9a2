import { assert, type ImageGrid } from "@drover/core";

/** The tokens that an image's layout is made of, by name. */
export const IMAGE_TOKENS = {
  start: "<|image_start|>",
  end: "<|image_end|>",
  image: "<|image|>",
  patch: "<|patch|>",
  xSeparator: "<|tile_x_separator|>",
  ySeparator: "<|tile_y_separator|>",
} as const;

export type ImageToken = (typeof IMAGE_TOKENS)[keyof typeof IMAGE_TOKENS];

/**
 * What stands in a prompt for an image: each tile's patches, with separators between a row's tiles and after every row, then the global
 * tile's behind `<|image|>`. An image of one tile has only the latter. Source: transformers, processing_llama4.py.
 */
export function imageTokenLayout({ rows, cols }: ImageGrid, patchesPerTile: number): ImageToken[] {
  assert(rows >= 1 && cols >= 1 && patchesPerTile >= 1, "an image has tiles and a tile has patches");
  const { start, end, image, patch, xSeparator, ySeparator } = IMAGE_TOKENS;
  const tile = new Array<ImageToken>(patchesPerTile).fill(patch);
  const layout: ImageToken[] = [start];
  for (let row = 0; row < (rows * cols === 1 ? 0 : rows); row++) {
    for (let col = 0; col < cols; col++) layout.push(...tile, col + 1 < cols ? xSeparator : ySeparator);
  }
  layout.push(image, ...tile, end);
  return layout;
}
